/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The plugin: registers the element, always, also where no device could run it; start() chooses the device.
 */
#include "gstyonossr.h"

static gboolean plugin_init(GstPlugin *plugin) {
    return GST_ELEMENT_REGISTER(yonossr, plugin);
}

#define PACKAGE "yonossr"
GST_PLUGIN_DEFINE(GST_VERSION_MAJOR, GST_VERSION_MINOR, yonossr, "Video upscaling with one-step latent diffusion",
                  plugin_init, PACKAGE_VERSION, "LGPL", "yonossr", "https://gstreamer.freedesktop.org/")
