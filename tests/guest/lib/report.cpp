// SPDX-License-Identifier: GPL-2.0-or-later
// The verdict line and the ways out of the virtual machine.
#include "report.hpp"

#include "abi/hypercall.hpp"
#include "cpu.hpp"
#include "guest_main.hpp"
#include "xen.hpp"

namespace xovl::guest
{

namespace
{

constexpr std::uint16_t kDebugExit = 0xf4;

} // namespace

void begin_verdict(Verdict verdict)
{
    static constexpr const char *kWords[] = {"PASS", "FAIL", "SKIP", "ERROR"};
    start_line(); // an exception may have cut one short
    print("VERDICT: ", kWords[static_cast<unsigned>(verdict)], " ",
          guest_name(), ": ");
}

void end_machine(Verdict verdict)
{
    console_drain();

    // The device reads as 0 and an empty port as 0xff. Asking first, rather
    // than writing and seeing who is still there: QEMU stops a vCPU some time
    // after the write, and until then the guest would go on to the power-off.
    if (inb(kDebugExit) != 0xff) {
        outb(kDebugExit, static_cast<std::uint8_t>(verdict));
        halt_forever();
    }

    if (xen_ready()) {
        abi::sched_shutdown argument{abi::SHUTDOWN_poweroff};
        (void)hypercall(abi::HYPERVISOR_sched_op, abi::SCHEDOP_shutdown,
                        address_of(argument));
    }
    halt_forever();
}

} // namespace xovl::guest
