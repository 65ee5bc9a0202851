/*
 * Counts what QEMU's TCG emulates, by address, between marks that the emulated
 * machine executes (tests/guest/lib/mark.hpp), wherever in it.
 *
 *     -plugin libcount.so,to=FILE
 *
 * At each end mark, since an emulator may be killed as the last thing, FILE
 * gets
 *     window NUMBER                   the begin mark's
 *     phase PLACE                     for each phase that there was
 *     ADDRESS LENGTH TIMES            for each block of instructions in it:
 *                                     the virtual address of the first one,
 *                                     how many there are, how often executed
 * addresses and places in hex.  A phase begins with a SYSCALL, and its place is
 * that instruction's address; with a return from one (place 1), a VMRUN (0),
 * and where the host goes on after a VMRUN (2).  A window begins in phase 0.
 *
 * One vCPU only.  A block that an exception leaves in its middle counts as a
 * whole one.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <glib.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <qemu-plugin.h>

/* nopl NUMBER(%rax); the upper half says that it is a mark. */
static const uint8_t nopl[] = { 0x0f, 0x1f, 0x80 };
#define MARK 0x584f0000u
#define MARK_MASK 0xffff0000u
#define END 0u

static const uint8_t syscall_insn[] = { 0x0f, 0x05 };
static const uint8_t sysret_insn[] = { 0x48, 0x0f, 0x07 };
static const uint8_t vmrun_insn[] = { 0x0f, 0x01, 0xd8 };

enum { GUEST, USER, AFTER_VMRUN };

/* For all blocks of a machine's life, with room to spare. */
#define MOST_BLOCKS (1u << 19)
#define MOST_PHASES 64

typedef struct {
    uint64_t address;
    uint64_t length;
    uint64_t seen;          /* how often it was executed until the last cut */
} Block;

typedef struct {
    uint64_t place;
    uint64_t *times;        /* by block */
} Phase;

QEMU_PLUGIN_EXPORT int qemu_plugin_version = QEMU_PLUGIN_VERSION;

/* A counter for each block, by its number. */
static struct qemu_plugin_scoreboard *counters;
static Block blocks[MOST_BLOCKS];
static unsigned int block_count;
static GHashTable *numbers;
static Phase phases[MOST_PHASES];
static unsigned int phase_count;
static unsigned int phase;
static unsigned int window;
/* There are few: KVM has one for each kind of guest. */
static uint64_t after_vmrun[8];
static FILE *output;

static guint block_hash(gconstpointer key)
{
    const Block *block = key;

    return g_int64_hash(&block->address) ^ (guint)block->length;
}

static gboolean block_equal(gconstpointer a, gconstpointer b)
{
    const Block *x = a, *y = b;

    return x->address == y->address && x->length == y->length;
}

static qemu_plugin_u64 counter(unsigned int number)
{
    return (qemu_plugin_u64) { counters, number * sizeof(uint64_t) };
}

static unsigned int phase_at(uint64_t place)
{
    for (unsigned int i = 0; i < phase_count; i++) {
        if (phases[i].place == place) {
            return i;
        }
    }
    if (phase_count == MOST_PHASES) {
        g_error("more than %u phases", MOST_PHASES);
    }
    phases[phase_count] = (Phase) { place, g_new0(uint64_t, MOST_BLOCKS) };
    return phase_count++;
}

/* What was executed since the last time is the current phase's. */
static void cut(void)
{
    for (unsigned int i = 0; i < block_count; i++) {
        uint64_t now = qemu_plugin_u64_get(counter(i), 0);

        phases[phase].times[i] += now - blocks[i].seen;
        blocks[i].seen = now;
    }
}

static void begin(unsigned int number)
{
    phase = phase_at(GUEST);
    cut();
    for (unsigned int i = 0; i < phase_count; i++) {
        memset(phases[i].times, 0, block_count * sizeof(uint64_t));
    }
    window = number;
}

static void end(void)
{
    cut();
    fprintf(output, "window %u\n", window);
    for (unsigned int i = 0; i < phase_count; i++) {
        bool any = false;

        for (unsigned int j = 0; j < block_count; j++) {
            if (phases[i].times[j]) {
                if (!any) {
                    fprintf(output, "phase %" PRIx64 "\n", phases[i].place);
                    any = true;
                }
                fprintf(output, "%" PRIx64 " %" PRIu64 " %" PRIu64 "\n",
                        blocks[j].address, blocks[j].length,
                        phases[i].times[j]);
            }
        }
    }
    fflush(output);
    window = END;
}

static void mark_executed(unsigned int vcpu, void *data)
{
    unsigned int number = GPOINTER_TO_UINT(data);

    if (number != END) {
        begin(number);
    } else if (window != END) {
        end();
    }
}

static void phase_begins(unsigned int vcpu, void *place)
{
    if (window != END) {
        cut();
        phase = phase_at((uintptr_t)place);
    }
}

static bool is_after_vmrun(uint64_t address, bool from_now_on)
{
    for (unsigned int i = 0; i < G_N_ELEMENTS(after_vmrun); i++) {
        if (!after_vmrun[i] && from_now_on) {
            after_vmrun[i] = address;
        }
        if (after_vmrun[i] == address) {
            return true;
        }
    }
    return false;
}

static void begin_phase_with(struct qemu_plugin_insn *insn, uint64_t place)
{
    qemu_plugin_register_vcpu_insn_exec_cb(insn, phase_begins,
                                           QEMU_PLUGIN_CB_NO_REGS,
                                           (void *)(uintptr_t)place);
}

static void look_at(struct qemu_plugin_insn *insn)
{
    uint64_t address = qemu_plugin_insn_vaddr(insn);
    uint8_t bytes[sizeof(nopl) + sizeof(uint32_t)];
    size_t size = qemu_plugin_insn_size(insn);
    uint32_t number;

    if (is_after_vmrun(address, false)) {
        begin_phase_with(insn, AFTER_VMRUN);
    }
    if (size > sizeof(bytes)) {
        return;
    }
    qemu_plugin_insn_data(insn, bytes, size);
    if (size == sizeof(bytes) && !memcmp(bytes, nopl, sizeof(nopl))) {
        memcpy(&number, bytes + sizeof(nopl), sizeof(number));
        if ((number & MARK_MASK) == MARK) {
            qemu_plugin_register_vcpu_insn_exec_cb(
                insn, mark_executed, QEMU_PLUGIN_CB_NO_REGS,
                GUINT_TO_POINTER(number & ~MARK_MASK));
        }
    } else if (size == sizeof(syscall_insn) &&
               !memcmp(bytes, syscall_insn, size)) {
        begin_phase_with(insn, address);
    } else if (size == sizeof(sysret_insn) &&
               !memcmp(bytes, sysret_insn, size)) {
        begin_phase_with(insn, USER);
    } else if (size == sizeof(vmrun_insn) &&
               !memcmp(bytes, vmrun_insn, size)) {
        is_after_vmrun(address + size, true);
        begin_phase_with(insn, GUEST);
    }
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
    Block key = {
        .address = qemu_plugin_tb_vaddr(tb),
        .length = qemu_plugin_tb_n_insns(tb),
    };
    Block *block = g_hash_table_lookup(numbers, &key);

    if (!block) {
        if (block_count == MOST_BLOCKS) {
            g_error("more than %u blocks", MOST_BLOCKS);
        }
        block = &blocks[block_count++];
        *block = key;
        g_hash_table_add(numbers, block);
    }
    qemu_plugin_register_vcpu_tb_exec_inline_per_vcpu(
        tb, QEMU_PLUGIN_INLINE_ADD_U64, counter(block - blocks), 1);
    for (size_t i = 0; i < key.length; i++) {
        look_at(qemu_plugin_tb_get_insn(tb, i));
    }
}

QEMU_PLUGIN_EXPORT int qemu_plugin_install(qemu_plugin_id_t id,
                                           const qemu_info_t *info,
                                           int argc, char **argv)
{
    if (argc != 1 || !g_str_has_prefix(argv[0], "to=") ||
        !info->system_emulation || info->system.smp_vcpus != 1) {
        fprintf(stderr, "count: to=FILE is needed, and a machine with one "
                "CPU\n");
        return -1;
    }
    output = fopen(argv[0] + strlen("to="), "w");
    if (!output) {
        perror(argv[0]);
        return -1;
    }
    counters = qemu_plugin_scoreboard_new(MOST_BLOCKS * sizeof(uint64_t));
    numbers = g_hash_table_new(block_hash, block_equal);
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    return 0;
}
