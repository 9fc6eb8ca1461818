/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Any bytes as a safetensors file: an error, or tensors that can be read to their last byte.
 */
#include "model/model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Visible from outside, so that the sums cannot be optimised away. */
extern guint32 fuzz_sum;
guint32 fuzz_sum;

/* Called with each tensor, so that a sanitizer sees every byte of it read. */
static guint32 sum_of(const YonosConst *c) {
    guint32 sum = 0;
    for (gsize i = 0; i < yonos_const_count(c) * yonos_dtype_size(c->dtype); i++)
        sum += ((const guint8 *)c->data)[i];
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    g_autoptr(GError) error = NULL;
    g_autoptr(GBytes) bytes = g_bytes_new(data, size);
    g_autoptr(YonosSafetensors) file = yonos_safetensors_parse(bytes, "fuzz", &error);
    if (!file && (!error || error->domain != YONOS_ERROR))
        g_error("refused without an error of ours");
    if (!file)
        return 0;
    if (error)
        g_error("accepted with an error");
    for (guint i = 0; i < yonos_safetensors_get_count(file); i++) {
        const YonosConst *c = yonos_safetensors_get(file, i);
        if (yonos_safetensors_find(file, c->name) != c)
            g_error("tensor %s is not found by its name", c->name);
        fuzz_sum += sum_of(c);
    }
    return 0;
}
