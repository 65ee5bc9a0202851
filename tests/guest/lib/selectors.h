/* SPDX-License-Identifier: GPL-2.0-or-later
 * What assembler and C++ have to agree on: the GDT's slots, times 8.
 */
#pragma once

#define CODE_SELECTOR 8
#define DATA_SELECTOR 16
#define CODE32_SELECTOR 24
#define FIRST_TSS_SELECTOR 32

#define MAX_CPUS 64
#define CPU_STACK_SIZE 16384
