/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * rtsp-source: a camera to try with: rtsp://127.0.0.1:PORT/camera.
 *
 *   rtsp-source PORT [FRAMES]     FRAMES: the stream ends after so many; default: never
 *
 * With yonossr in the launch line it would serve upscaled video: ( ... ! yonossr ! x264enc tune=zerolatency ! ... ).
 */
#include <gst/rtsp-server/rtsp-server.h>
#include <stdlib.h>

int main(int argc, char **argv) {
    gst_init(&argc, &argv);
    if (argc < 2 || argc > 3) {
        g_printerr("usage: rtsp-source PORT [FRAMES]\n");
        return 2;
    }
    g_autofree char *launch =
        g_strdup_printf("( videotestsrc is-live=true pattern=ball num-buffers=%d "
                        "! video/x-raw,format=I420,width=48,height=32,framerate=25/1 ! x264enc tune=zerolatency "
                        "key-int-max=25 ! rtph264pay name=pay0 pt=96 config-interval=1 )",
                        argc > 2 ? atoi(argv[2]) : -1);
    GstRTSPServer *server = gst_rtsp_server_new();
    gst_rtsp_server_set_address(server, "127.0.0.1");
    gst_rtsp_server_set_service(server, argv[1]);
    GstRTSPMediaFactory *factory = gst_rtsp_media_factory_new();
    gst_rtsp_media_factory_set_launch(factory, launch);
    g_autoptr(GstRTSPMountPoints) mounts = gst_rtsp_server_get_mount_points(server);
    gst_rtsp_mount_points_add_factory(mounts, "/camera", factory);
    if (gst_rtsp_server_attach(server, NULL) == 0) {
        g_printerr("rtsp-source: port %s cannot be used\n", argv[1]);
        g_object_unref(server);
        return 1;
    }
    g_print("rtsp://127.0.0.1:%s/camera\n", argv[1]);
    g_autoptr(GMainLoop) loop = g_main_loop_new(NULL, FALSE);
    g_main_loop_run(loop);
    g_object_unref(server);
    return 0;
}
