// SPDX-License-Identifier: GPL-2.0-or-later
// Xen's CPUID leaves (xen/include/public/arch-x86/cpuid.h), hypercall page.
#include "xen.hpp"

#include <cstddef>

#include "abi/hypercall.hpp"
#include "abi/types.hpp"
#include "console.hpp"
#include "cpu.hpp"
#include "report.hpp"

namespace xovl::guest
{

namespace
{

constexpr std::uint32_t kFirstBase = 0x40000000;
constexpr std::uint32_t kLastBase = 0x40010000;
constexpr std::uint32_t kBaseStep = 0x100;

constexpr std::size_t kHypercallStubSize = 32;

alignas(abi::kPageSize) char hypercall_page[abi::kPageSize];
bool ready;
std::uint32_t hypercall_msr;

extern "C" void wrmsr_in_protected_mode(std::uint32_t msr, std::uint64_t value);

// Other hypervisors' leaves may come first: with Hyper-V enlightenments on,
// QEMU puts Xen's at 0x40000100. 0 if there are none.
std::uint32_t find_base()
{
    for (std::uint32_t base = kFirstBase; base < kLastBase; base += kBaseStep) {
        const CpuidResult leaf = cpuid(base);
        if (leaf.ebx == 0x566e6558 && // "XenV"
            leaf.ecx == 0x65584d4d && // "MMXe"
            leaf.edx == 0x4d4d566e && // "nVMM"
            leaf.eax >= base + 2) {
            return base;
        }
    }
    return 0;
}

} // namespace

void xen_init()
{
    const std::uint32_t base = find_base();
    if (base == 0) {
        error("no Xen CPUID leaves (start with -accel kvm,xen-version=...)");
    }
    const std::uint32_t version = cpuid(base + 1).eax;
    const CpuidResult pages = cpuid(base + 2);
    if (pages.eax != 1) {
        error("Xen wants ", pages.eax, " hypercall pages, not 1");
    }
    hypercall_msr = pages.ebx;
    latch_width(64);
    ready = true;

    // A first call that can do no harm. KVM answers it from 6.3 on; before that
    // it is -38, and no reason to stop.
    const std::int64_t answer =
        hypercall(abi::HYPERVISOR_xen_version, abi::XENVER_version);
    print("Xen ", version >> 16, ".", version & 0xffff, ", leaves at ",
          Hex{base}, ", hypercall MSR ", Hex{pages.ebx}, ", XENVER_version ");
    if (answer < 0) {
        print(answer, "\n");
    } else {
        print(Hex{static_cast<std::uint64_t>(answer)}, "\n");
    }
}

void latch_width(unsigned bits)
{
    const auto page = reinterpret_cast<std::uintptr_t>(hypercall_page);
    if (bits == 32) {
        wrmsr_in_protected_mode(hypercall_msr, page);
    } else {
        wrmsr(hypercall_msr, page);
    }
}

bool xen_ready()
{
    return ready;
}

std::int64_t hypercall(std::uint32_t number, std::uint64_t a1, std::uint64_t a2,
                       std::uint64_t a3, std::uint64_t a4, std::uint64_t a5)
{
    std::int64_t result;
    register std::uint64_t r10 asm("r10") = a4;
    register std::uint64_t r8 asm("r8") = a5;
    asm volatile("call *%[stub]"
                 : "=a"(result), "+D"(a1), "+S"(a2), "+d"(a3), "+r"(r10),
                   "+r"(r8)
                 : [stub] "r"(hypercall_page + number * kHypercallStubSize)
                 : "memory", "cc", "rcx", "r9", "r11");
    return result;
}

} // namespace xovl::guest
