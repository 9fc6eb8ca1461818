/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the two implementations of ATTENTION share: attention.c computes in f32, attention_bf16.c in pairs of bf16.
 */
#ifndef YONOS_CPU_ATTENTION_H
#define YONOS_CPU_ATTENTION_H

#include "backend/cpu/cpu.h"

/* The number of keys of an ATTENTION node. */
int cpu_attention_tokens(const YonosNode *node);

/* out (head_dim, CPU_QUERIES) / sum -> channels of `head` of `count` pixels from `pixel` on. */
void cpu_attention_store(const YonosNode *node, const YonosRun *run, gsize pixel, int count, int head,
                         const float *out, const float *sum);

/* x86-64 only. TRUE where the CPU, the storage type and the head's size let cpu_attention_bf16 run a node. */
gboolean cpu_attention_bf16_fits(const YonosNode *node);
extern const YonosOp cpu_attention_bf16;

#endif
