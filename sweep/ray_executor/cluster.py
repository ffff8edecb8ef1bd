"""The cluster of the Ray that this process has joined: what it has, and what of it is free."""

from __future__ import annotations

from sweep.run.resources import Cluster, TrialResources


def joined_cluster() -> Cluster:
    """The cluster that this process has joined."""
    import ray

    from trainables.ray_private.start import largest

    return Cluster([node["Resources"] for node in ray.nodes() if node["Alive"]], largest())


def free_resources() -> dict[str, float]:
    """Resources that nobody holds now."""
    import ray

    return dict(ray.available_resources())


def is_reserved(request: TrialResources) -> bool:
    """Whether a trial's resources are held: then it is starting, not waiting."""
    import ray

    wanted = [request.bundle] * request.workers
    groups = ray.util.placement_group_table().values()
    return any(g["state"] == "CREATED" and list(g["bundles"].values()) == wanted for g in groups)


__all__ = ["free_resources", "is_reserved", "joined_cluster"]
