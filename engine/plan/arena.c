/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Places tensors of known lifetimes into one arena.
 *
 * Dynamic storage allocation is NP-hard; graphs of networks are kind, though: greedy first
 * fit in a good order reaches the lower bound (the most bytes alive at one node) or nearly.
 * Several orders are tried. Where none reaches the bound, the tensor that ends highest is
 * moved to the front of the best order a few times, which gives it the low addresses.
 * Everything is deterministic: same lifetimes, same offsets.
 */
#include "plan/plan.h"

enum { ALIGNMENT = 64, MAX_REPAIRS = 400 };

/* One order of placement; position i of `order` holds an index into `lifetimes`. */
typedef struct {
    const YonosLifetime *lifetimes;
    guint count;
    guint *order;
    gsize *offset; /* per lifetime */
    guint *placed; /* indices placed so far, sorted by offset */
} Placement;

static gsize aligned_bytes(const YonosLifetime *l) {
    return yonos_size_align(l->bytes, ALIGNMENT);
}

static gboolean overlap_in_time(const YonosLifetime *a, const YonosLifetime *b) {
    return a->first <= b->last && b->first <= a->last;
}

/* The lowest offset where `index` fits between the placed tensors that are alive with it. */
static gsize first_fit(const Placement *p, guint n_placed, guint index) {
    const YonosLifetime *self = &p->lifetimes[index];
    gsize bytes = aligned_bytes(self), candidate = 0;
    for (guint i = 0; i < n_placed; i++) {
        const YonosLifetime *other = &p->lifetimes[p->placed[i]];
        if (!overlap_in_time(self, other))
            continue;
        gsize start = p->offset[p->placed[i]];
        if (start >= candidate + bytes)
            break;
        candidate = MAX(candidate, start + aligned_bytes(other));
    }
    return candidate;
}

/* Places all in p->order; returns the arena's size, and in *highest the position in the order of the tensor
 * that ends at it. */
static gsize place_in_order(Placement *p, guint *highest) {
    gsize arena = 0;
    *highest = 0;
    for (guint n = 0; n < p->count; n++) {
        guint index = p->order[n];
        gsize offset = first_fit(p, n, index);
        p->offset[index] = offset;
        guint slot = n;
        for (; slot > 0 && p->offset[p->placed[slot - 1]] > offset; slot--)
            p->placed[slot] = p->placed[slot - 1];
        p->placed[slot] = index;
        gsize end = offset + aligned_bytes(&p->lifetimes[index]);
        if (end > arena) {
            arena = end;
            *highest = n;
        }
    }
    return arena;
}

/* The orders. Ties fall back to the index, so that every sort is total. */
typedef enum { ORDER_BYTES, ORDER_AREA, ORDER_LONGEST, ORDER_FIRST, ORDER_COUNT } OrderKind;

typedef struct {
    const YonosLifetime *lifetimes;
    OrderKind kind;
} OrderContext;

static double order_weight(const YonosLifetime *l, OrderKind kind) {
    double span = (double)l->last - l->first + 1;
    switch (kind) {
    case ORDER_BYTES:
        return (double)l->bytes;
    case ORDER_AREA:
        return (double)l->bytes * span;
    case ORDER_LONGEST:
        return span;
    default:
        return -(double)l->first;
    }
}

static gint compare_order(gconstpointer pa, gconstpointer pb, gpointer data) {
    const OrderContext *context = data;
    guint a = *(const guint *)pa, b = *(const guint *)pb;
    double wa = order_weight(&context->lifetimes[a], context->kind);
    double wb = order_weight(&context->lifetimes[b], context->kind);
    if (wa != wb)
        return wa > wb ? -1 : 1;
    return a < b ? -1 : a > b;
}

/* The most bytes alive at one time; it is reached at some tensor's first position. */
static gsize peak_of(const YonosLifetime *lifetimes, guint count) {
    gsize peak = 0;
    for (guint i = 0; i < count; i++) {
        gsize alive = 0;
        for (guint j = 0; j < count; j++)
            if (lifetimes[j].first <= lifetimes[i].first && lifetimes[i].first <= lifetimes[j].last)
                alive += aligned_bytes(&lifetimes[j]);
        peak = MAX(peak, alive);
    }
    return peak;
}

static void move_to_front(guint *order, guint position) {
    guint index = order[position];
    memmove(order + 1, order, position * sizeof *order);
    order[0] = index;
}

static void keep_if_better(const Placement *p, gsize arena, gsize *best, YonosLifetime *lifetimes, guint *best_order) {
    if (arena >= *best)
        return;
    *best = arena;
    for (guint i = 0; i < p->count; i++)
        lifetimes[i].offset = p->offset[i];
    memcpy(best_order, p->order, p->count * sizeof *best_order);
}

gsize yonos_arena_place(YonosLifetime *lifetimes, guint count, gsize *peak) {
    gsize bound = peak_of(lifetimes, count), best = G_MAXSIZE;
    if (peak)
        *peak = bound;
    if (count == 0)
        return 0;
    g_autofree guint *order = g_new(guint, count), *placed = g_new(guint, count), *best_order = g_new(guint, count);
    g_autofree gsize *offset = g_new0(gsize, count);
    Placement p = {lifetimes, count, order, offset, placed};
    guint highest = 0;
    for (OrderKind kind = 0; kind < ORDER_COUNT && best > bound; kind++) {
        OrderContext context = {lifetimes, kind};
        for (guint i = 0; i < count; i++)
            order[i] = i;
        g_qsort_with_data(order, (gint)count, sizeof *order, compare_order, &context);
        keep_if_better(&p, place_in_order(&p, &highest), &best, lifetimes, best_order);
    }
    /* Repairs, from the best order; a step that makes it worse is kept too, to get out of a dead end. */
    memcpy(order, best_order, count * sizeof *order);
    for (int repair = 0; repair < MAX_REPAIRS && best > bound + bound / 200; repair++) {
        gsize arena = place_in_order(&p, &highest);
        keep_if_better(&p, arena, &best, lifetimes, best_order);
        move_to_front(order, highest);
    }
    return best;
}
