// SPDX-License-Identifier: GPL-2.0-or-later
// Xen's CPUID leaves (xen/include/public/arch-x86/cpuid.h), hypercall page.
#include "xen.hpp"

#include <cstddef>

#include "abi/hvm_op.hpp"
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

alignas(abi::kPageSize) char hypercall_page[abi::kPageSize];
bool ready;
bool vmmcall;
std::uint32_t leaves;
std::uint32_t version;

#ifdef __x86_64__
extern "C" void wrmsr_in_protected_mode(std::uint32_t msr, std::uint64_t value);
extern "C" std::int64_t hypercall_in_32_bits(std::uint32_t number,
                                             std::uint32_t a1, std::uint32_t a2,
                                             bool vmmcall);
#endif

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

void xen_find()
{
    leaves = find_base();
    if (leaves == 0) {
        error("no Xen CPUID leaves (start with -accel kvm,xen-version=...)");
    }
    // Either instruction works on either vendor's CPUs under KVM, and on Xen
    // only the CPU's own.
    const CpuidResult vendor = cpuid(0);
    vmmcall = vendor.ebx == 0x68747541 || // "Auth"enticAMD
              vendor.ebx == 0x6f677948;   // "Hygo"nGenuine
    ready = true;

    // A first call that can do no harm. KVM answers it from 6.3 on; before that
    // it is -38, and no reason to stop.
    version = cpuid(leaves + 1).eax;
    const std::intptr_t answer =
        hypercall(abi::HYPERVISOR_xen_version, abi::XENVER_version);
    print("Xen ", version >> 16, ".", version & 0xffff, ", leaves at ",
          Hex{leaves}, ", hypercall MSR ", Hex{cpuid(leaves + 2).ebx},
          ", XENVER_version ");
    if (answer < 0) {
        print(answer, "\n");
    } else {
        version = static_cast<std::uint32_t>(answer);
        print(Hex{version}, "\n");
    }
}

void xen_write_msr()
{
    const CpuidResult pages = cpuid(leaves + 2);
    if (pages.eax != 1) {
        error("Xen wants ", pages.eax, " hypercall pages, not 1");
    }
    wrmsr(pages.ebx, reinterpret_cast<Word>(hypercall_page));
}

void xen_init()
{
    xen_find();
    xen_write_msr();
}

void latch_width(unsigned bits)
{
#ifdef __x86_64__
    if (bits == 32) {
        wrmsr_in_protected_mode(cpuid(leaves + 2).ebx,
                                reinterpret_cast<Word>(hypercall_page));
        return;
    }
#else
    if (bits != 32) {
        error("a 32-bit guest cannot latch ", bits, " bits");
    }
#endif
    xen_write_msr();
}

bool xen_ready()
{
    return ready;
}

std::uint32_t xen_version()
{
    return version;
}

std::uint32_t xen_vcpu_id(std::uint32_t otherwise)
{
    constexpr std::uint32_t kVcpuIdPresent = 1 << 3;
    const bool has_leaf = cpuid(leaves).eax >= leaves + 4;
    const CpuidResult features = has_leaf ? cpuid(leaves + 4) : CpuidResult{};
    return (features.eax & kVcpuIdPresent) != 0 ? features.ebx : otherwise;
}

std::intptr_t hypercall(std::uint32_t number, Word a1, Word a2, Word a3,
                        Word a4, Word a5)
{
    std::intptr_t result = number;
#ifdef __x86_64__
    register std::uint64_t r10 asm("r10") = a4;
    register std::uint64_t r8 asm("r8") = a5;
    if (vmmcall) {
        asm volatile("vmmcall"
                     : "+a"(result), "+D"(a1), "+S"(a2), "+d"(a3), "+r"(r10),
                       "+r"(r8)
                     :
                     : "memory", "cc", "rcx", "r9", "r11");
    } else {
        asm volatile("vmcall"
                     : "+a"(result), "+D"(a1), "+S"(a2), "+d"(a3), "+r"(r10),
                       "+r"(r8)
                     :
                     : "memory", "cc", "rcx", "r9", "r11");
    }
#else
    if (vmmcall) {
        asm volatile("vmmcall"
                     : "+a"(result), "+b"(a1), "+c"(a2), "+d"(a3), "+S"(a4),
                       "+D"(a5)
                     :
                     : "memory", "cc");
    } else {
        asm volatile("vmcall"
                     : "+a"(result), "+b"(a1), "+c"(a2), "+d"(a3), "+S"(a4),
                       "+D"(a5)
                     :
                     : "memory", "cc");
    }
#endif
    return result;
}

std::intptr_t hypercall_as_32_bit(std::uint32_t number, Word a1, Word a2)
{
#ifdef __x86_64__
    return hypercall_in_32_bits(number, static_cast<std::uint32_t>(a1),
                                static_cast<std::uint32_t>(a2), vmmcall);
#else
    return hypercall(number, a1, a2);
#endif
}

std::intptr_t register_vcpu_info(std::uint32_t vcpu, std::uint64_t frame,
                                 std::uint32_t offset)
{
    const abi::vcpu_register_vcpu_info argument{
        .mfn = frame, .offset = offset, .rsvd = 0};
    return hypercall(abi::HYPERVISOR_vcpu_op, abi::VCPUOP_register_vcpu_info,
                     vcpu, address_of(argument));
}

std::intptr_t register_vcpu_info(std::uint32_t vcpu, const volatile void *area)
{
    const auto address = reinterpret_cast<std::uintptr_t>(area);
    return register_vcpu_info(
        vcpu, address / abi::kPageSize,
        static_cast<std::uint32_t>(address % abi::kPageSize));
}

std::intptr_t get_hvm_param(std::uint32_t index, std::uint64_t &value)
{
    abi::xen_hvm_param argument{
        .domid = abi::DOMID_SELF, .pad = 0, .index = index, .value = 0};
    const std::intptr_t result = hypercall(
        abi::HYPERVISOR_hvm_op, abi::HVMOP_get_param, address_of(argument));
    value = argument.value;
    return result;
}

std::intptr_t set_hvm_param(std::uint32_t index, std::uint64_t value)
{
    const abi::xen_hvm_param argument{
        .domid = abi::DOMID_SELF, .pad = 0, .index = index, .value = value};
    return hypercall(abi::HYPERVISOR_hvm_op, abi::HVMOP_set_param,
                     address_of(argument));
}

} // namespace xovl::guest
