/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Arena placement: tensors that are alive together never overlap, offsets are aligned, and
 * on lifetimes as networks have them the arena is within 5 % of the bytes alive at once.
 * The seed of the random cases is g_test's (--seed=... replays).
 */
#include "plan/plan.h"

enum { ALIGNMENT = 64, MAX_TENSORS = 600 };

/* Checks what must hold for any lifetimes; returns the arena's size. */
static gsize place_and_check(YonosLifetime *life, guint count, gsize *peak) {
    gsize arena = yonos_arena_place(life, count, peak);
    g_assert_cmpuint(arena, >=, *peak);
    for (guint i = 0; i < count; i++) {
        gsize end_i = life[i].offset + life[i].bytes;
        g_assert_cmpuint(life[i].offset % ALIGNMENT, ==, 0);
        g_assert_cmpuint(end_i, <=, arena);
        for (guint j = 0; j < i; j++) {
            if (life[i].first > life[j].last || life[j].first > life[i].last)
                continue;
            gsize end_j = life[j].offset + life[j].bytes;
            g_assert_true(end_i <= life[j].offset || end_j <= life[i].offset);
        }
    }
    return arena;
}

static void test_random(void) {
    for (int round = 0; round < 300; round++) {
        YonosLifetime life[80], again[80];
        guint count = (guint)g_test_rand_int_range(1, G_N_ELEMENTS(life) + 1);
        for (guint i = 0; i < count; i++) {
            int first = g_test_rand_int_range(0, 60);
            life[i] = (YonosLifetime){(gsize)g_test_rand_int_range(1, 100000), first,
                                      first + g_test_rand_int_range(0, 12), 0};
        }
        memcpy(again, life, sizeof *life * count);
        gsize peak, peak_again;
        gsize arena = place_and_check(life, count, &peak);
        g_assert_cmpuint(arena, <=, 2 * peak); /* far from it in fact */
        g_assert_cmpuint(place_and_check(again, count, &peak_again), ==, arena);
        for (guint i = 0; i < count; i++)
            g_assert_cmpuint(life[i].offset, ==, again[i].offset);
    }
}

static void test_degenerate(void) {
    gsize peak = 1;
    g_assert_cmpuint(yonos_arena_place(NULL, 0, &peak), ==, 0);
    g_assert_cmpuint(peak, ==, 0);
    YonosLifetime one = {1, 0, 0, 7};
    g_assert_cmpuint(yonos_arena_place(&one, 1, NULL), ==, ALIGNMENT);
    g_assert_cmpuint(one.offset, ==, 0);
    YonosLifetime apart[2] = {{1000, 0, 3, 0}, {1000, 4, 9, 0}}, touching[2] = {{1000, 0, 3, 0}, {1000, 3, 9, 0}};
    g_assert_cmpuint(place_and_check(apart, 2, &peak), ==, 1024);
    g_assert_cmpuint(place_and_check(touching, 2, &peak), ==, 2048);
}

/* ---- lifetimes as networks have them ------------------------------------------------------ */

typedef struct {
    YonosLifetime life[MAX_TENSORS];
    guint count;
    int node;
} Net;

/* One node that reads x (and y, or -1) and writes a new tensor; returns its index. */
static int node(Net *net, int x, int y, gsize bytes) {
    if (x >= 0)
        net->life[x].last = net->node;
    if (y >= 0)
        net->life[y].last = net->node;
    net->life[net->count] = (YonosLifetime){bytes, net->node, net->node, 0};
    net->node++;
    return (int)net->count++;
}

/* norm, conv, norm, conv + residual (through a 1x1 where the width changes). */
static int resnet(Net *net, int x, gsize pixels, gsize from, gsize to) {
    int h = node(net, x, -1, pixels * from);
    h = node(net, h, -1, pixels * to);
    h = node(net, h, -1, pixels * to);
    int shortcut = from == to ? x : node(net, x, -1, pixels * to);
    return node(net, h, shortcut, pixels * to);
}

static int attention(Net *net, int x, gsize pixels, gsize channels) {
    int h = node(net, x, -1, pixels * channels);
    int qkv = node(net, h, -1, pixels * channels * 3);
    h = node(net, qkv, -1, pixels * channels);
    return node(net, h, x, pixels * channels);
}

static void check_bound(Net *net) {
    gsize peak, arena = place_and_check(net->life, net->count, &peak);
    g_test_message("%u tensors: arena %" G_GSIZE_FORMAT ", bound %" G_GSIZE_FORMAT, net->count, arena, peak);
    g_assert_cmpuint(arena * 100, <=, peak * 105);
}

static void test_decoder(void) {
    static const gsize widths[] = {512, 512, 256, 128};
    for (int size = 1; size <= 40; size += 3) {
        g_autofree Net *net = g_new0(Net, 1);
        gsize pixels = (gsize)size * size * 4, width = widths[0];
        int x = node(net, -1, -1, pixels * 4);
        x = node(net, x, -1, pixels * width);
        x = resnet(net, attention(net, resnet(net, x, pixels, width, width), pixels, width), pixels, width, width);
        for (guint level = 0; level < G_N_ELEMENTS(widths); level++) {
            for (int i = 0; i < 3; i++) {
                x = resnet(net, x, pixels, width, widths[level]);
                width = widths[level];
            }
            if (level + 1 < G_N_ELEMENTS(widths)) {
                pixels *= 4;
                x = node(net, x, -1, pixels * width);
            }
        }
        node(net, x, -1, pixels * 3);
        check_bound(net);
    }
}

/* Down and up with skips, random depths and widths, attention here and there. */
static void random_unet(Net *net) {
    int levels = g_test_rand_int_range(1, 5), depth = g_test_rand_int_range(1, 4), skips[64], n_skips = 0;
    gsize widths[5], skip_widths[64], pixels = (gsize)g_test_rand_int_range(8, 96) * 64 * 2, width;
    widths[0] = (gsize)g_test_rand_int_range(2, 11) * 32;
    for (int i = 1; i < levels; i++)
        widths[i] = widths[i - 1] * (gsize)g_test_rand_int_range(1, 3);
    width = widths[0];
    int x = node(net, -1, -1, pixels * width);
    skips[n_skips] = x;
    skip_widths[n_skips++] = width;
    for (int level = 0; level < levels; level++) {
        for (int i = 0; i < depth; i++) {
            x = resnet(net, x, pixels, width, widths[level]);
            width = widths[level];
            if (level > 0)
                x = attention(net, x, pixels, width);
            skips[n_skips] = x;
            skip_widths[n_skips++] = width;
        }
        if (level + 1 < levels) {
            pixels = MAX(pixels / 4, 64);
            x = node(net, x, -1, pixels * width);
            skips[n_skips] = x;
            skip_widths[n_skips++] = width;
        }
    }
    for (int level = levels - 1; level >= 0; level--) {
        for (int i = 0; i <= depth; i++) {
            n_skips--;
            int joined = node(net, x, skips[n_skips], pixels * (width + skip_widths[n_skips]));
            x = resnet(net, joined, pixels, width + skip_widths[n_skips], widths[level]);
            width = widths[level];
        }
        if (level > 0) {
            pixels *= 4;
            x = node(net, x, -1, pixels * width);
        }
    }
}

static void test_unets(void) {
    for (int round = 0; round < 60; round++) {
        g_autofree Net *net = g_new0(Net, 1);
        random_unet(net);
        check_bound(net);
    }
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/arena/degenerate", test_degenerate);
    g_test_add_func("/arena/random", test_random);
    g_test_add_func("/arena/decoder", test_decoder);
    g_test_add_func("/arena/unets", test_unets);
    return g_test_run();
}
