/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The work; see work.h.
 *
 * A thread decodes segment after segment into the scaler. The calling thread takes the upscaled frames and hands
 * them to the writer of their segment. Writers finish in the background while the next segment is upscaled.
 */
#include "work.h"
#include "reader.h"
#include "writer.h"

enum { FINISHING_WRITERS = 2, WAIT_MICROSECONDS = 5000 };

typedef struct {
    Work *work;
    GThread *thread;
    gint cancel;   /* atomic */
    GError *error; /* of the thread, to be read after it ended */
    char *damage;
} Feeder;

typedef struct {
    Work *work;
    guint next; /* into `pending`: the segment after the current one */
    Writer *current;
    GQueue finishing; /* of Writer, oldest first */
} Collector;

char *work_segment_path(const char *parts, guint index) {
    return g_strdup_printf("%s/%06u.segment", parts, index);
}

static const Segment *pending_segment(const Work *w, guint i) {
    return &g_array_index(w->segments, Segment, g_array_index(w->pending, guint, i));
}

/* ---- decoding, in its thread -------------------------------------------------------------------------- */

static gboolean feed_segment(Feeder *f, const Segment *s, GError **error) {
    g_autoptr(GError) cause = NULL;
    g_autoptr(Reader) reader = reader_new(f->work->scan, s, &cause);
    GstSample *sample;
    while (reader && (sample = reader_pull(reader, &f->cancel, &cause)))
        if (!scaler_push(f->work->scaler, sample))
            return FALSE;
    if (reader && reader_get_damage(reader)) {
        g_free(f->damage);
        f->damage = g_strdup(reader_get_damage(reader));
    }
    if (cause)
        g_propagate_error(error, g_steal_pointer(&cause));
    return !cause && reader && !g_atomic_int_get(&f->cancel);
}

static gpointer feed(gpointer data) {
    Feeder *f = data;
    gboolean ok = TRUE;
    for (guint i = 0; ok && i < f->work->pending->len; i++)
        ok = feed_segment(f, pending_segment(f->work, i), &f->error);
    /* After an error too, so that the collector comes to an end. */
    scaler_finish(f->work->scaler);
    return NULL;
}

static void start_feeder(Feeder *f, Work *work) {
    *f = (Feeder){.work = work};
    f->thread = g_thread_new("decode", feed, f);
}

/* The first of both errors counts. */
static gboolean stop_feeder(Feeder *f, gboolean ok, GError **error) {
    g_atomic_int_set(&f->cancel, !ok);
    if (!ok)
        scaler_stop(f->work->scaler);
    g_thread_join(f->thread);
    f->work->damage = f->damage;
    if (ok && f->error) {
        g_propagate_error(error, f->error);
        return FALSE;
    }
    g_clear_error(&f->error);
    return ok;
}

/* ---- encoding ------------------------------------------------------------------------------------------- */

/* Gives finished segments their names. */
static gboolean reap(Collector *c, GError **error) {
    Writer *writer;
    while ((writer = g_queue_peek_head(&c->finishing))) {
        g_autoptr(GError) cause = NULL;
        if (!writer_done(writer, &cause))
            return TRUE;
        const Segment *s = &g_array_index(c->work->segments, Segment, writer_get_index(writer));
        c->work->lost_frames += s->frames - MIN(s->frames, writer_get_frames(writer));
        writer_free(g_queue_pop_head(&c->finishing));
        if (cause) {
            g_propagate_error(error, g_steal_pointer(&cause));
            return FALSE;
        }
        c->work->progress->written++;
    }
    return TRUE;
}

static void close_current(Collector *c) {
    if (!c->current)
        return;
    writer_finish(c->current);
    g_queue_push_tail(&c->finishing, g_steal_pointer(&c->current));
}

static void open_next(Collector *c) {
    close_current(c);
    guint index = g_array_index(c->work->pending, guint, c->next++);
    g_autofree char *path = work_segment_path(c->work->parts, index);
    c->current = writer_new(c->work->encoder, path, index);
}

static gboolean collect(Collector *c, GstSample *sample, GError **error) {
    GstClockTime time = GST_BUFFER_PTS(gst_sample_get_buffer(sample));
    while (!c->current || (c->next < c->work->pending->len && time >= pending_segment(c->work, c->next - 1)->stop))
        open_next(c);
    c->work->progress->done++;
    return writer_push(c->current, sample, error);
}

static gboolean may_collect(Collector *c) {
    return g_queue_get_length(&c->finishing) < FINISHING_WRITERS && (!c->current || writer_is_ready(c->current));
}

static gboolean collect_all(Collector *c, GError **error) {
    while (!scaler_ended(c->work->scaler)) {
        if (upscale_interrupted(error) || !reap(c, error) || (c->current && !writer_check(c->current, error)))
            return FALSE;
        progress_update(c->work->progress);
        if (!may_collect(c)) {
            g_usleep(WAIT_MICROSECONDS);
            continue;
        }
        g_autoptr(GError) cause = NULL;
        GstSample *sample = scaler_pull(c->work->scaler, 20 * GST_MSECOND, &cause);
        if (cause) {
            g_propagate_error(error, g_steal_pointer(&cause));
            return FALSE;
        }
        if (sample && !collect(c, sample, error))
            return FALSE;
    }
    return TRUE;
}

static gboolean finish_writers(Collector *c, GError **error) {
    close_current(c);
    while (!g_queue_is_empty(&c->finishing)) {
        if (upscale_interrupted(error) || !reap(c, error))
            return FALSE;
        progress_update(c->work->progress);
        g_usleep(WAIT_MICROSECONDS);
    }
    return TRUE;
}

/* Segments at the end without any frame. */
static gboolean finish_empty(Collector *c, GError **error) {
    while (c->next < c->work->pending->len)
        open_next(c);
    return finish_writers(c, error);
}

static void clear_collector(Collector *c) {
    g_clear_pointer(&c->current, writer_free);
    g_queue_clear_full(&c->finishing, (GDestroyNotify)writer_free);
}

gboolean work_run(Work *work, GError **error) {
    Collector collector = {.work = work, .finishing = G_QUEUE_INIT};
    Feeder feeder;
    start_feeder(&feeder, work);
    gboolean ok = collect_all(&collector, error);
    /* A segment is whole only if the decoder came to its end: ask before the last one gets its name. */
    ok = stop_feeder(&feeder, ok, error) && finish_empty(&collector, error);
    clear_collector(&collector);
    return ok;
}
