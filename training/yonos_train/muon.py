# SPDX-License-Identifier: LGPL-2.1-or-later
"""Muon: momentum whose matrices are made orthogonal (Jordan, 2024, https://kellerjordan.github.io/posts/muon)."""
import torch

_NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)  # the post's coefficients: singular values come near 1 in five steps
_STEPS, _MOMENTUM = 5, 0.95
RATE = 20  # times AdamW's learning rate


def orthogonal(matrices):
    """About U V^T of each matrix U S V^T of (n, rows, columns)."""
    a, b, c = _NEWTON_SCHULZ
    x = matrices.bfloat16()
    tall = x.shape[1] > x.shape[2]
    if tall:
        x = x.mT
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(_STEPS):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.mT if tall else x


class Muon(torch.optim.AdamW):
    """Muon for the inner convolutions and linear layers, seen as matrices (out, in x taps); AdamW for the rest."""

    def __init__(self, module, rate, **adamw):
        named = [(name, p) for name, p in module.named_parameters() if p.requires_grad]
        inner = [p for name, p in named if p.ndim > 1 and not _is_outer(name)]
        rest = [p for name, p in named if p.ndim <= 1 or _is_outer(name)]
        super().__init__([{"params": rest}, {"params": inner, "lr": RATE * rate, "muon": True}], lr=rate, **adamw)

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            alike = {}  # matrices of one shape are turned together
            for parameter in group["params"] if group.get("muon") else ():
                if parameter.grad is not None:
                    alike.setdefault((len(parameter), parameter[0].numel()), []).append(parameter)
            for parameters in alike.values():
                self._turn(parameters, group["lr"])
        super().step()

    def _turn(self, parameters, rate):
        wanted = [p.grad.lerp(self._momentum(p), _MOMENTUM).flatten(1) for p in parameters]
        for parameter, update in zip(parameters, orthogonal(torch.stack(wanted))):
            parameter.add_(update.view(parameter.shape).to(parameter.dtype), alpha=-rate)
            parameter.grad = None  # AdamW leaves it alone

    def _momentum(self, parameter):
        state = self.state[parameter]
        if not state:
            state["step"] = torch.tensor(0.0)  # AdamW looks for it when it loads a state
            state["momentum"] = torch.zeros_like(parameter)
        return state["momentum"].lerp_(parameter.grad, 1 - _MOMENTUM)


def _is_outer(name):
    return name.endswith(("conv_in.weight", "conv_out.weight"))
