/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The public header compiles alone, as strict C11, and its initialiser fits its struct.
 */
#include "yonos.h"

const YonosOptions header_options_c = YONOS_OPTIONS_INIT;
