"""The grids of single methods."""

from __future__ import annotations

from search_spaces.spec import Choice, Reading


def _grid(
    *methods: str, code: bool = True, field: str, values: tuple[float, ...], said: str
) -> dict[str, Reading]:
    stages = tuple(f"tune {method}" for method in methods)
    return {"code" if code else "wide": Reading(said, grids={field: values}, stages=stages)}


GRID_CHOICES: tuple[tuple[set[str], Choice], ...] = (
    (
        {"NSO", "WP-SGD"},
        Choice(
            "grid of sigma",
            "0.008, 0.01, 0.012",
            "code; the printed values are lost. Its scripts for Messidor have 0.01 to 0.014",
            "method.sigma",
            name="sigma-grid",
            default="code",
            others={
                "messidor": Reading(
                    "0.01, 0.012, 0.014",
                    grids={"method.sigma": (0.01, 0.012, 0.014)},
                    stages=("tune NSO", "tune WP-SGD"),
                )
            },
            source="sections 2.1 and 3.1 (lost); scripts/run_resnet",
            code="code",
        ),
    ),
    (
        {"SAM"},
        Choice(
            "grid of SAM",
            "as printed in Appendix C",
            "the code has the same, and for Messidor 0.02, 0.05 and 0.1",
            "method.rho",
            name="sam-grid",
            default="printed",
            others={
                "messidor": Reading(
                    "0.02, 0.05, 0.1", grids={"method.rho": (0.02, 0.05, 0.1)}, stages=("tune SAM",)
                )
            },
            source="Appendix C; scripts",
            text="printed",
            code="printed",
        ),
    ),
    (
        {"USAM"},
        Choice(
            "grid of USAM",
            "SAM's",
            "Appendix C names none; early scripts try six radii on Indoor and Aircraft, and 0.01"
            " alone elsewhere",
            "method.rho",
            name="usam-grid",
            default="sam",
            others=_grid(
                "USAM",
                code=False,
                field="method.rho",
                values=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05),
                said="the six radii of Table 4, on every data set",
            ),
            source="Appendix C; early scripts",
        ),
    ),
    (
        {"ASAM"},
        Choice(
            "grid of ASAM",
            "as printed in Appendix C",
            "the code has 0.1 to 0.5",
            "method.rho",
            name="asam-grid",
            default="printed",
            others=_grid("ASAM", field="method.rho", values=(0.1, 0.2, 0.5), said="0.1, 0.2, 0.5"),
            source="Appendix C; scripts/run_vit",
            text="printed",
            code="code",
        ),
    ),
    (
        {"LS"},
        Choice(
            "grid of LS",
            "as printed in Appendix C",
            "the code has 0.2 and 0.4",
            "method.smoothing",
            name="ls-grid",
            default="printed",
            others=_grid("LS", field="method.smoothing", values=(0.2, 0.4), said="0.2, 0.4"),
            source="Appendix C; scripts/run_resnet",
            text="printed",
            code="code",
        ),
    ),
    (
        {"RSAM"},
        Choice(
            "grid of RSAM's sigma",
            "as printed in Appendix C",
            "the code has 0.01 to 0.014",
            "method.sigma",
            name="rsam-grid",
            default="printed",
            others=_grid(
                "RSAM", field="method.sigma", values=(0.01, 0.012, 0.014), said="0.01, 0.012, 0.014"
            ),
            source="Appendix C; early scripts",
            text="printed",
            code="code",
        ),
    ),
)
