// SPDX-License-Identifier: GPL-2.0-or-later
#include "event_channel.hpp"

#include "abi/event_channel.hpp"
#include "abi/hvm_op.hpp"
#include "abi/hypercall.hpp"
#include "xen.hpp"

namespace xovl::guest
{

namespace
{

template <typename Argument>
std::intptr_t event_channel_op(std::uint32_t operation, Argument &argument)
{
    return hypercall(abi::HYPERVISOR_event_channel_op, operation,
                     address_of(argument));
}

} // namespace

std::intptr_t bind_ipi(std::uint32_t vcpu)
{
    abi::evtchn_bind_ipi argument{.vcpu = vcpu, .port = 0};
    const std::intptr_t result =
        event_channel_op(abi::EVTCHNOP_bind_ipi, argument);
    return result < 0 ? result : static_cast<std::intptr_t>(argument.port);
}

std::intptr_t bind_virq(std::uint32_t virq, std::uint32_t vcpu)
{
    abi::evtchn_bind_virq argument{.virq = virq, .vcpu = vcpu, .port = 0};
    const std::intptr_t result =
        event_channel_op(abi::EVTCHNOP_bind_virq, argument);
    return result < 0 ? result : static_cast<std::intptr_t>(argument.port);
}

std::intptr_t alloc_unbound(std::uint16_t remote)
{
    abi::evtchn_alloc_unbound argument{
        .dom = abi::DOMID_SELF, .remote_dom = remote, .port = 0};
    const std::intptr_t result =
        event_channel_op(abi::EVTCHNOP_alloc_unbound, argument);
    return result < 0 ? result : static_cast<std::intptr_t>(argument.port);
}

std::intptr_t close_port(std::uint32_t port)
{
    abi::evtchn_close argument{port};
    return event_channel_op(abi::EVTCHNOP_close, argument);
}

std::intptr_t send(std::uint32_t port)
{
    abi::evtchn_send argument{port};
    return event_channel_op(abi::EVTCHNOP_send, argument);
}

std::intptr_t unmask(std::uint32_t port)
{
    abi::evtchn_unmask argument{port};
    return event_channel_op(abi::EVTCHNOP_unmask, argument);
}

std::intptr_t set_upcall_vector(std::uint32_t vcpu, std::uint8_t vector)
{
    const abi::xen_hvm_evtchn_upcall_vector argument{.vcpu = vcpu,
                                                     .vector = vector};
    return hypercall(abi::HYPERVISOR_hvm_op,
                     abi::HVMOP_set_evtchn_upcall_vector, address_of(argument));
}

std::intptr_t poll(std::uint32_t port)
{
    const abi::sched_poll<Word> argument{
        .ports = address_of(port), .nr_ports = 1, .timeout = 0};
    return hypercall(abi::HYPERVISOR_sched_op, abi::SCHEDOP_poll,
                     address_of(argument));
}

std::intptr_t port_status(std::uint32_t port)
{
    abi::evtchn_status argument{};
    argument.dom = abi::DOMID_SELF;
    argument.port = port;
    const std::intptr_t result =
        event_channel_op(abi::EVTCHNOP_status, argument);
    return result < 0 ? result : static_cast<std::intptr_t>(argument.status);
}

} // namespace xovl::guest
