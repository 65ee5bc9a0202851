// SPDX-License-Identifier: GPL-2.0-or-later
// Memory operations of the shared_info page.
#include "shared_info.hpp"

#include "abi/hypercall.hpp"
#include "abi/types.hpp"
#include "xen.hpp"

namespace xovl::guest
{

std::intptr_t add_to_physmap(std::uint32_t space, Word index, Word frame)
{
    const abi::xen_add_to_physmap<Word> argument{
        .domid = abi::DOMID_SELF,
        .size = 0,
        .space = space,
        .idx = index,
        .gpfn = frame,
    };
    return hypercall(abi::HYPERVISOR_memory_op, abi::XENMEM_add_to_physmap,
                     address_of(argument));
}

std::intptr_t map_shared_info(const volatile void *page)
{
    return add_to_physmap(abi::XENMAPSPACE_shared_info, 0,
                          reinterpret_cast<Word>(page) >> abi::kPageShift);
}

std::intptr_t remove_from_physmap(Word frame)
{
    const abi::xen_remove_from_physmap<Word> argument{
        .domid = abi::DOMID_SELF,
        .gpfn = frame,
    };
    return hypercall(abi::HYPERVISOR_memory_op, abi::XENMEM_remove_from_physmap,
                     address_of(argument));
}

} // namespace xovl::guest
