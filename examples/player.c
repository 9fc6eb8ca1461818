/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * player: watches a video through yonossr, with the original one key away.
 *
 *   player FILE|URI [SINK]        SINK: GStreamer's name of the video sink (default: autovideosink)
 *
 *   b              before or after: resampled original or the networks' result
 *   s              split picture: original left, result right
 *   Left, Right    move the split
 *   space          pause
 *   q, Escape      quit
 *
 * Frames that would come late are resampled instead (late-policy=fast), so it plays on any machine.
 */
#include <gst/gst.h>
#include <gst/video/navigation.h>

#define SPLIT_STEP 0.1

typedef struct {
    GMainLoop *loop;
    GstElement *playbin, *filter;
    gboolean paused;
    int result;
} Player;

static void toggle_bypass(Player *p) {
    gboolean bypass;
    g_object_get(p->filter, "bypass", &bypass, NULL);
    g_object_set(p->filter, "bypass", !bypass, NULL);
    g_print("%s\n", bypass ? "after" : "before");
}

static void toggle_split(Player *p) {
    int compare;
    g_object_get(p->filter, "compare", &compare, NULL);
    gst_util_set_object_arg(G_OBJECT(p->filter), "compare", compare ? "none" : "split");
    g_print("%s\n", compare ? "whole" : "split");
}

static void move_split(Player *p, double step) {
    double position;
    g_object_get(p->filter, "compare-position", &position, NULL);
    position = CLAMP(position + step, 0.0, 1.0);
    g_object_set(p->filter, "compare-position", position, NULL);
    g_print("split at %.1f\n", position);
}

static void toggle_pause(Player *p) {
    p->paused = !p->paused;
    gst_element_set_state(p->playbin, p->paused ? GST_STATE_PAUSED : GST_STATE_PLAYING);
}

static void on_key(Player *p, const char *key) {
    if (g_str_equal(key, "b"))
        toggle_bypass(p);
    else if (g_str_equal(key, "s"))
        toggle_split(p);
    else if (g_str_equal(key, "Left"))
        move_split(p, -SPLIT_STEP);
    else if (g_str_equal(key, "Right"))
        move_split(p, SPLIT_STEP);
    else if (g_str_equal(key, "space"))
        toggle_pause(p);
    else if (g_str_equal(key, "q") || g_str_equal(key, "Escape"))
        g_main_loop_quit(p->loop);
}

/* The window's key presses travel upstream; those nobody takes come back as messages. */
static void on_element_message(Player *p, GstMessage *message) {
    GstEvent *event = NULL;
    const char *key;
    if (gst_navigation_message_get_type(message) == GST_NAVIGATION_MESSAGE_EVENT &&
        gst_navigation_message_parse_event(message, &event) &&
        gst_navigation_event_get_type(event) == GST_NAVIGATION_EVENT_KEY_PRESS &&
        gst_navigation_event_parse_key_event(event, &key))
        on_key(p, key);
    if (event)
        gst_event_unref(event);
}

static gboolean on_message(GstBus *bus G_GNUC_UNUSED, GstMessage *message, gpointer data) {
    Player *p = data;
    g_autoptr(GError) error = NULL;
    switch (GST_MESSAGE_TYPE(message)) {
    case GST_MESSAGE_ELEMENT:
        on_element_message(p, message);
        break;
    case GST_MESSAGE_ERROR:
        gst_message_parse_error(message, &error, NULL);
        g_printerr("player: %s\n", error->message);
        p->result = 1;
        g_main_loop_quit(p->loop);
        break;
    case GST_MESSAGE_EOS:
        g_main_loop_quit(p->loop);
        break;
    default:
        break;
    }
    return G_SOURCE_CONTINUE;
}

static gboolean make(Player *p, const char *input, const char *sink_name) {
    g_autofree char *uri = gst_uri_is_valid(input) ? g_strdup(input) : gst_filename_to_uri(input, NULL);
    GstElement *sink = gst_element_factory_make(sink_name ? sink_name : "autovideosink", NULL);
    p->playbin = gst_element_factory_make("playbin", NULL);
    p->filter = gst_element_factory_make("yonossr", NULL);
    if (!uri || !sink || !p->playbin || !p->filter) {
        g_printerr("player: playbin, yonossr or the video sink is not installed\n");
        return FALSE;
    }
    gst_util_set_object_arg(G_OBJECT(p->filter), "late-policy", "fast");
    g_object_set(p->playbin, "uri", uri, "video-filter", p->filter, "video-sink", sink, NULL);
    return TRUE;
}

int main(int argc, char **argv) {
    Player p = {0};
    gst_init(&argc, &argv);
    if (argc < 2 || argc > 3) {
        g_printerr("usage: player FILE|URI [SINK]\n");
        return 2;
    }
    if (!make(&p, argv[1], argc > 2 ? argv[2] : NULL))
        return 1;
    p.loop = g_main_loop_new(NULL, FALSE);
    g_autoptr(GstBus) bus = gst_element_get_bus(p.playbin);
    guint watch = gst_bus_add_watch(bus, on_message, &p);
    gst_element_set_state(p.playbin, GST_STATE_PLAYING);
    g_main_loop_run(p.loop);
    gst_element_set_state(p.playbin, GST_STATE_NULL);
    g_source_remove(watch);
    gst_object_unref(p.playbin);
    g_main_loop_unref(p.loop);
    return p.result;
}
