"""Update rules: one paper's per file."""
