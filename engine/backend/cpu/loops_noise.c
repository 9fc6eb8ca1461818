/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Rows of the noise field; see loops.h. The build compiles this file WITHOUT contraction to fused multiply-adds:
 * its bits are philox.h's on every instruction set.
 *
 * A run of LANES neighbouring latents goes through philox.h side by side, so that the compiler makes vectors of it.
 */
#include "backend/cpu/loops_isa.h"
#include "backend/philox.h"

enum { LANES = 16 };

void loops_name(noise_row)(guint64 seed, guint64 frame, int y, int x0, int width, int channels, float *out) {
    for (int x = 0; x < width; x += LANES)
        for (int c = 0; c < channels; c += 4) {
            float normal[4][LANES];
            for (int i = 0; i < LANES; i++) {
                float v[4];
                yonos_noise_normals(seed, frame, y, x0 + x + i, c / 4, v);
                normal[0][i] = v[0];
                normal[1][i] = v[1];
                normal[2][i] = v[2];
                normal[3][i] = v[3];
            }
            for (int i = 0; i < MIN(LANES, width - x); i++)
                for (int k = 0; k < MIN(4, channels - c); k++)
                    out[(gsize)(x + i) * channels + c + k] = normal[k][i];
        }
}
