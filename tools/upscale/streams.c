/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Streams; see streams.h.
 */
#include "streams.h"
#include "pipeline.h"

#include <string.h>

/* Marks the element whose buffers lose their markup. */
#define PLAIN "identity name=plain ! capssetter replace=true caps=text/x-raw,format=utf8"

static gboolean muxer_takes(const Container *container, const char *pad, const GstCaps *caps) {
    g_autoptr(GstElementFactory) factory = gst_element_factory_find(container->muxer);
    const GList *templates = factory ? gst_element_factory_get_static_pad_templates(factory) : NULL;
    for (; templates; templates = templates->next) {
        GstStaticPadTemplate *template = templates->data;
        if (!g_str_equal(template->name_template, pad))
            continue;
        g_autoptr(GstCaps) accepted = gst_static_pad_template_get_caps(template);
        if (!caps || gst_caps_can_intersect(accepted, caps))
            return TRUE;
    }
    return FALSE;
}

static gboolean has_type(const GstCaps *caps, const char *type) {
    return gst_structure_has_name(gst_caps_get_structure(caps, 0), type);
}

static gboolean is_aac(const GstCaps *caps) {
    int version = 0;
    gst_structure_get_int(gst_caps_get_structure(caps, 0), "mpegversion", &version);
    return has_type(caps, "audio/mpeg") && (version == 2 || version == 4);
}

static const char *audio_encoder(const Container *container) {
    return g_str_equal(container->muxer, "webmmux") ? "opusenc bitrate=160000" : "avenc_aac bitrate=192000 ! aacparse";
}

/* Returns what happens to the stream, in words. */
static const char *plan_audio(StreamPlan *p, const Container *container) {
    p->pad = "audio_%u";
    if (is_aac(p->stream->caps) && !g_str_equal(container->muxer, "webmmux")) {
        p->description = g_strdup("aacparse");
        return "copied";
    }
    if (muxer_takes(container, p->pad, p->stream->caps)) {
        p->description = g_strdup("identity");
        return "copied";
    }
    p->changed = TRUE;
    p->description = g_strdup_printf("decodebin ! audioconvert ! audioresample ! %s", audio_encoder(container));
    return g_str_equal(container->muxer, "webmmux") ? "converted to Opus" : "converted to AAC";
}

static const char *plan_text(StreamPlan *p, const Container *container) {
    const GstCaps *caps = p->stream->caps;
    p->pad = "subtitle_%u";
    if (muxer_takes(container, p->pad, caps)) {
        p->description = g_strdup("identity");
        return "copied";
    }
    gboolean styled = has_type(caps, "application/x-ass") || has_type(caps, "application/x-ssa");
    if (muxer_takes(container, p->pad, NULL) && (styled || has_type(caps, "text/x-raw"))) {
        p->changed = styled;
        p->description = g_strconcat(styled ? "ssaparse ! " : "", PLAIN, NULL);
        return styled ? "without its styles" : "copied";
    }
    p->pad = NULL;
    return NULL;
}

static void free_plan(gpointer data) {
    StreamPlan *p = data;
    g_free(p->description);
    g_free(p->about);
    g_free(p);
}

static StreamPlan *plan_stream(const ScanStream *stream, const Container *container) {
    static const char *const kinds[] = {"video", "audio", "subtitles", "data"};
    StreamPlan *p = g_new0(StreamPlan, 1);
    p->stream = stream;
    const char *fate = NULL;
    if (stream->kind == SCAN_AUDIO)
        fate = plan_audio(p, container);
    else if (stream->kind == SCAN_TEXT)
        fate = plan_text(p, container);
    p->changed = p->changed || !fate;
    const char *type = gst_structure_get_name(gst_caps_get_structure(stream->caps, 0));
    p->about = fate ? g_strdup_printf("%s, %s: %s", kinds[stream->kind], type, fate)
                    : g_strdup_printf("%s, %s: left out, %s files cannot hold it", kinds[stream->kind], type,
                                      container->suffix);
    return p;
}

GPtrArray *streams_plan(const Scan *scan, const Container *container) {
    GPtrArray *plans = g_ptr_array_new_with_free_func(free_plan);
    for (guint i = 0; i < scan->streams->len; i++) {
        const ScanStream *stream = scan->streams->pdata[i];
        gboolean described = !gst_caps_is_any(stream->caps) && !gst_caps_is_empty(stream->caps);
        if (stream != scan->video && described)
            g_ptr_array_add(plans, plan_stream(stream, container));
    }
    return plans;
}

/* ---- the branch of a pipeline --------------------------------------------------------------------------- */

static void on_text(GMarkupParseContext *context G_GNUC_UNUSED, const char *text, gsize length, gpointer data,
                    GError **error G_GNUC_UNUSED) {
    g_string_append_len(data, text, (gssize)length);
}

/* The text of Pango markup; text that is none is returned as it is. */
static char *without_markup(const char *text, gsize length) {
    static const GMarkupParser parser = {.text = on_text};
    g_autoptr(GString) plain = g_string_new(NULL);
    g_autoptr(GMarkupParseContext) context = g_markup_parse_context_new(&parser, 0, plain, NULL);
    gboolean ok = g_markup_parse_context_parse(context, "<a>", -1, NULL) &&
                  g_markup_parse_context_parse(context, text, (gssize)length, NULL) &&
                  g_markup_parse_context_parse(context, "</a>", -1, NULL) &&
                  g_markup_parse_context_end_parse(context, NULL);
    return ok ? g_strdup(plain->str) : g_strndup(text, length);
}

static GstPadProbeReturn on_markup(GstPad *pad G_GNUC_UNUSED, GstPadProbeInfo *info, gpointer data G_GNUC_UNUSED) {
    GstBuffer *buffer = GST_PAD_PROBE_INFO_BUFFER(info);
    GstMapInfo map;
    if (!gst_buffer_map(buffer, &map, GST_MAP_READ))
        return GST_PAD_PROBE_OK;
    char *plain = without_markup((const char *)map.data, strnlen((const char *)map.data, map.size));
    gst_buffer_unmap(buffer, &map);
    GstBuffer *replaced = gst_buffer_new_wrapped(plain, strlen(plain));
    gst_buffer_copy_into(replaced, buffer, GST_BUFFER_COPY_METADATA, 0, (gsize)-1);
    gst_buffer_unref(buffer);
    GST_PAD_PROBE_INFO_DATA(info) = replaced;
    return GST_PAD_PROBE_OK;
}

static void on_pad_added(GstElement *parsebin, GstPad *pad, gpointer data) {
    GstElement *branch = data;
    g_autofree char *id = gst_pad_get_stream_id(pad);
    g_autoptr(GstObject) bin = gst_element_get_parent(parsebin);
    g_autoptr(GstPad) target = gst_element_get_static_pad(branch, "sink");
    if (g_strcmp0(id, g_object_get_data(G_OBJECT(branch), "stream-id")) != 0 || gst_pad_is_linked(target))
        pipeline_discard(GST_BIN(bin), pad);
    else if (GST_PAD_LINK_FAILED(gst_pad_link(pad, target)))
        GST_ELEMENT_ERROR(branch, CORE, NEGOTIATION, ("A stream of the input cannot be linked."), (NULL));
}

static void add_ghost(GstElement *bin, const char *element, const char *pad) {
    g_autoptr(GstElement) inner = gst_bin_get_by_name(GST_BIN(bin), element);
    g_autoptr(GstPad) target = gst_element_get_static_pad(inner, pad);
    gst_element_add_pad(bin, gst_ghost_pad_new(pad, target));
}

static GstElement *make_branch(const StreamPlan *plan, GError **error) {
    g_autoptr(GError) cause = NULL;
    g_autofree char *description = g_strdup_printf("queue name=first ! %s ! queue name=last", plan->description);
    GstElement *branch = gst_parse_bin_from_description(description, FALSE, &cause);
    if (!branch) {
        upscale_fail(error, UPSCALE_FAILED, "%s: %s", plan->about, cause->message);
        return NULL;
    }
    /* By hand: the ghost pads that GStreamer would make could be those of elements behind a decodebin. */
    add_ghost(branch, "first", "sink");
    add_ghost(branch, "last", "src");
    g_autoptr(GstElement) markup = gst_bin_get_by_name(GST_BIN(branch), "plain");
    if (markup) {
        g_autoptr(GstPad) pad = gst_element_get_static_pad(markup, "src");
        gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER, on_markup, NULL, NULL);
    }
    g_object_set_data_full(G_OBJECT(branch), "stream-id", g_strdup(plan->stream->id), g_free);
    return branch;
}

gboolean streams_add(const StreamPlan *plan, const Scan *scan, GstBin *pipeline, GstPad *target, GError **error) {
    GstElement *source = gst_element_factory_make("filesrc", NULL), *parse = gst_element_factory_make("parsebin", NULL),
               *branch = make_branch(plan, error);
    if (!branch)
        return FALSE;
    g_object_set(source, "location", scan->path, NULL);
    gst_bin_add_many(pipeline, source, parse, branch, NULL);
    gst_element_link(source, parse);
    scan_keep_text(parse);
    g_signal_connect(parse, "pad-added", G_CALLBACK(on_pad_added), branch);
    g_autoptr(GstPad) pad = gst_element_get_static_pad(branch, "src");
    return !GST_PAD_LINK_FAILED(gst_pad_link(pad, target)) ||
           upscale_fail(error, UPSCALE_FAILED, "%s: the muxer refuses it", plan->about);
}
