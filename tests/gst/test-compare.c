/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * compare: the original and the result in one picture.
 */
#include <string.h>

#include "helpers.h"
#include "pixels.h"

static GBytes *compared(const char *options, const char *caps) {
    g_autofree char *all = g_strdup_printf("colour-fix=none %s", options);
    return run_one(all, caps, 3);
}

/* `count` columns of two RGB pictures of `width` pixels, from `a_from` and `b_from` on, are the same. */
static gboolean same_columns(GBytes *a, int a_from, GBytes *b, int b_from, int count, int width, int height) {
    const guint8 *x = g_bytes_get_data(a, NULL), *y = g_bytes_get_data(b, NULL);
    for (int row = 0; row < height; row++)
        if (memcmp(x + 3 * (row * width + a_from), y + 3 * (row * width + b_from), 3 * (gsize)count) != 0)
            return FALSE;
    return TRUE;
}

static void test_compare(void) {
    enum { W = 64, H = 32 };
    g_autofree char *caps = caps_text("RGB", W / 2, H / 2, "");
    g_autoptr(GBytes) result = compared("", caps), original = compared("bypass=true", caps);
    g_autoptr(GBytes) split = compared("compare=split compare-position=0.25", caps);
    g_autoptr(GBytes) all = compared("compare=split compare-position=1", caps);
    g_autoptr(GBytes) sides = compared("compare=side-by-side compare-position=0.5", caps);
    g_autoptr(GBytes) twice = compared("compare=side-by-side compare-position=0.75 bypass=true", caps);
    g_assert_false(same_columns(result, 0, original, 0, W, W, H));
    g_assert_true(same_columns(split, 0, original, 0, W / 4, W, H));
    g_assert_true(same_columns(split, W / 4, result, W / 4, W - W / 4, W, H));
    g_assert_true(g_bytes_equal(all, original));
    g_assert_true(same_columns(sides, 0, original, W / 4, W / 2, W, H));
    g_assert_true(same_columns(sides, W / 2, result, W / 4, W / 2, W, H));
    /* A frame that the networks did not do keeps the view. */
    g_assert_true(same_columns(twice, 0, original, 3 * W / 8, W / 2, W, H));
    g_assert_true(same_columns(twice, W / 2, original, 3 * W / 8, W / 2, W, H));
}

static void test_compare_formats(void) {
    g_autoptr(GPtrArray) formats = all_formats();
    for (guint i = 0; i < formats->len; i++) {
        g_autofree char *caps = caps_text(g_ptr_array_index(formats, i), 9, 7, "");
        GBytes *all = run_one("compare=split compare-position=1", caps, 3), *bypass = run_one("bypass=true", caps, 3);
        GstVideoInfo info = info_of(caps);
        /* Padding at the ends of rows is nobody's. */
        if (GST_VIDEO_INFO_N_PLANES(&info) == 1 && GST_VIDEO_INFO_COMP_PSTRIDE(&info, 0) >= 4 &&
            GST_VIDEO_FORMAT_INFO_W_SUB(info.finfo, 1) == 0)
            g_assert_true(g_bytes_equal(all, bypass));
        g_bytes_unref(all);
        g_bytes_unref(bypass);
        g_bytes_unref(run_one("compare=side-by-side compare-position=0.3", caps, 3));
    }
}

int main(int argc, char **argv) {
    init_tests(&argc, &argv);
    g_test_add_func("/pictures/compare", test_compare);
    g_test_add_func("/pictures/compare-formats", test_compare_formats);
    return run_tests();
}
