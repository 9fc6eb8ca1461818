/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Memory for backends whose device is the host.
 */
#ifndef YONOS_HOST_H
#define YONOS_HOST_H

#include "backend/backend.h"

/* Sets allocate, release, upload, download and finish. */
void yonos_host_fill_memory(YonosBackend *backend);

#endif
