"""Muon for the matrices (momentum, then the nearest orthogonal matrix by Newton-Schulz iteration), Adam for the rest.

Muon: Keller Jordan and others, 2024; the quintic's coefficients are theirs."""

import torch


def orthogonalise(stack, steps=5):
    """Approximately `U Vᵀ` of each matrix of `stack`, `[count, rows, columns]`."""
    a, b, c = 3.4445, -4.7750, 2.0315
    x = stack.bfloat16()
    tall = x.shape[1] > x.shape[2]
    if tall:
        x = x.transpose(1, 2)
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(steps):
        gram = x @ x.transpose(1, 2)
        x = a * x + (b * gram + c * gram @ gram) @ x
    return (x.transpose(1, 2) if tall else x).float()


class Optimizer:
    """Steps all parameters of a model; `rate` scales both learning rates."""

    def __init__(self, model, muon_rate, adam_rate):
        named = list(model.named_parameters())
        matrices = [p for name, p in named if p.dim() == 2 and "embedding" not in name]
        others = [p for name, p in named if p.dim() != 2 or "embedding" in name]
        shapes = {}
        for p in matrices:
            shapes.setdefault(p.shape, []).append(p)
        self.groups = [(group, torch.zeros(len(group), *group[0].shape)) for group in shapes.values()]
        self.adam = torch.optim.Adam(others, lr=adam_rate, betas=(0.9, 0.98))
        self.muon_rate, self.adam_rate = muon_rate, adam_rate

    @torch.no_grad()
    def step(self, rate, momentum=0.95, decay=0.02):
        """One update from the parameters' `.grad`."""
        for group, velocity in self.groups:
            gradients = torch.stack([p.grad for p in group])
            velocity.lerp_(gradients, 1 - momentum)
            update = orthogonalise(gradients.lerp(velocity, momentum))
            scale = max(1.0, group[0].shape[0] / group[0].shape[1]) ** 0.5
            for p, change in zip(group, update):
                p.mul_(1 - rate * self.muon_rate * decay).add_(change, alpha=-rate * self.muon_rate * scale)
        for parameters in self.adam.param_groups:
            parameters["lr"] = self.adam_rate * rate
            torch.nn.utils.clip_grad_norm_(parameters["params"], 1.0)
        self.adam.step()
