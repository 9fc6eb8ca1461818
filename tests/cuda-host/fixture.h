/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One operation, run by ref and by its CUDA kernel on the host, and the comparison of the two.
 *
 * Inputs are seeded random numbers in the tensor's storage type. Every tensor has a heap block of exactly its size,
 * so that AddressSanitizer sees the first element behind it. The kernel runs twice, its threads in ascending and in
 * descending order, from a poisoned output; both must give the same bits.
 */
#ifndef CUDA_HOST_FIXTURE_H
#define CUDA_HOST_FIXTURE_H

#include "backend/backend.h"
#include "kernels/kernels.h"

enum { FIXTURE_TENSORS = 8 };

/* All types that tensors are stored in. */
extern const YonosDType fixture_dtypes[3];

typedef struct _Fixture Fixture;

struct _Fixture {
    YonosGraph *graph;
    const YonosNode *node;                   /* the one under test: the graph's last */
    YonosRun run;                            /* ref's; tests may set grid, tile, frames, seed and frame number */
    void *data[FIXTURE_TENSORS];             /* ref's, per tensor id */
    void *block[FIXTURE_TENSORS];            /* the kernel's, where they were allocated */
    YonosCudaTensor tensor[FIXTURE_TENSORS]; /* the kernel's, per tensor id */
    void *workspace;                         /* the kernel's; see fixture_workspace() */
    gsize skew;                              /* bytes by which the kernel's tensors miss 16-byte alignment */
    gconstpointer extra;                     /* the test's own */
};

typedef int (*FixtureLaunch)(Fixture *fixture);

void fixture_init(Fixture *fixture);
void fixture_clear(Fixture *fixture);

/* A tensor to be filled with random numbers of deviation `spread` around `mean`. */
const YonosTensor *fixture_input(Fixture *fixture, YonosDType dtype, YonosShape shape);
void fixture_fill(Fixture *fixture, const YonosTensor *tensor, float mean, float spread);
void fixture_set(Fixture *fixture, const YonosTensor *tensor, gsize i, float v);

/* The kernel's tensor for a graph's one; NULL for NULL. */
const YonosCudaTensor *fixture_tensor(const Fixture *fixture, const YonosTensor *tensor);
/* Element i of the kernel's tensor as it would be stored in `as`. */
float fixture_get(const Fixture *fixture, const YonosTensor *tensor, gsize i, YonosDType as);
void fixture_workspace(Fixture *fixture, gsize bytes);

/* Deterministic random numbers, all from the program's --seed. */
float fixture_normal(void);

/* Finishes the graph and runs its last node with ref. */
void fixture_run_ref(Fixture *fixture);

/*
 * Runs the graph's last node with ref and `launch`, and fails the test where an element differs by more than
 * absolute + relative |ref| + one rounding of the output's type, or is not finite where ref's is.
 * absolute < 0: all bits must be equal. Includes fixture_run_ref().
 */
void fixture_compare(Fixture *fixture, FixtureLaunch launch, float absolute, float relative);

#endif
