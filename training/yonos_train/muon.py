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
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
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
            turned = [p for p in group["params"] if p.grad is not None] if group.get("muon") else []
            if turned:
                torch._foreach_add_(turned, self._updates(turned), alpha=-group["lr"])
            for parameter in turned:
                parameter.grad = None  # AdamW leaves it alone
        super().step()

    def _updates(self, parameters):
        """Orthogonal matrices in the parameters' shapes; those of one shape are made together."""
        gradients, momenta = [p.grad for p in parameters], [self._momentum(p) for p in parameters]
        torch._foreach_lerp_(momenta, gradients, 1 - _MOMENTUM)
        wanted, alike = list(torch._foreach_lerp(gradients, momenta, _MOMENTUM)), {}
        for i, matrix in enumerate(wanted):
            alike.setdefault((len(matrix), matrix[0].numel()), []).append(i)
        for places in alike.values():
            for i, update in zip(places, orthogonal(torch.stack([wanted[i].flatten(1) for i in places]))):
                wanted[i] = update.reshape(parameters[i].shape).to(parameters[i].dtype)
        return wanted

    def _momentum(self, parameter):
        state = self.state[parameter]
        if not state:
            state["step"] = torch.tensor(0.0)  # AdamW looks for it when it loads a state
            state["momentum"] = torch.zeros_like(parameter)
        return state["momentum"]


def _is_outer(name):
    return name.endswith(("conv_in.weight", "conv_out.weight"))
