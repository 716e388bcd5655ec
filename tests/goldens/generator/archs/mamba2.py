"""The Mamba2 mixer as the hybrids have it in their files."""

import numpy as np

from .common import Tensors, block


def keys(inner: int, state: int, heads: int, groups: int, kernel: int) -> dict:
    return {
        "ssm.conv_kernel": kernel,
        "ssm.inner_size": inner,
        "ssm.state_size": state,
        "ssm.time_step_rank": heads,
        "ssm.group_count": groups,
    }


def tensors(name: str, weight: np.ndarray, groups: int) -> Tensors:
    """The tensors of one of the mixer's parameters; the norm has its groups one by one."""
    prefix, part = block(name), name.split(".", 4)[-1]
    match part:
        case "A_log":
            return {f"{prefix}ssm_a": -np.exp(weight)[:, None]}
        case "D":
            return {f"{prefix}ssm_d": weight[:, None]}
        case "dt_bias":
            return {f"{prefix}ssm_dt.bias": weight}
        case "conv1d.weight":
            return {f"{prefix}ssm_conv1d.weight": weight.squeeze(1)}
        case "conv1d.bias":
            return {f"{prefix}ssm_conv1d.bias": weight}
        case "norm.weight":
            return {f"{prefix}ssm_norm.weight": weight.reshape(groups, -1)}
        case "in_proj.weight":
            return {f"{prefix}ssm_in.weight": weight}
        case "out_proj.weight":
            return {f"{prefix}ssm_out.weight": weight}
    raise ValueError(f"{name} is no part of a mixer")


def initial(name: str, noise: np.ndarray) -> np.ndarray | None:
    # States that fade over a few tokens up to some hundred.
    if name.endswith("A_log"):
        return noise - 2.0
    if name.endswith("dt_bias"):
        return 0.5 * noise - 1.0
    if name.endswith(".D"):
        return 1.0 + 0.2 * noise
    return None
