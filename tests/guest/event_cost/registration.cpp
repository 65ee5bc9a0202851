// SPDX-License-Identifier: GPL-2.0-or-later
#include "registration.hpp"

#include <cstdint>

#include "cpu.hpp"
#include "event.hpp"
#include "mark.hpp"
#include "report.hpp"
#include "samples.hpp"
#include "selectors.h"
#include "smp.hpp"

namespace xovl::guest
{

namespace
{

// As tools/profile knows it.
constexpr std::uint16_t kMarkRegistration = 1;

std::uint64_t samples[MAX_CPUS];
std::uint64_t registrations; // that `samples` has

void measure_registration(std::uint32_t id)
{
    const std::uint64_t start = rdtsc();
    mark_begin<kMarkRegistration>();
    const std::intptr_t result = register_area(id);
    mark_end();
    samples[registrations++] = rdtsc() - start;
    if (result != 0) {
        fail("registration of vCPU ", id, " returned ", result);
    }
    // The upcall that a registration is, if it is this vCPU's own. Otherwise it
    // would end the halt in which the next command is waited for, and all that
    // is done to wait for it again would count.
    let_interrupts_in();
}

// The first one halts while the others do theirs: were it to look whether
// another is done, it would be looking for as long as the host lets it.
template <typename Work>
void each_for_itself(Work work)
{
    for (std::uint32_t id = 0; id < cpu_ids(); ++id) {
        Cpu *const target = cpu(id);
        auto task = [&] { work(id); };
        if (id == 0 || !target) {
            task();
            continue;
        }
        start_on(*target, task);
        pause_at_random();
        if (!finish_work(*target, kWorkMs)) {
            error("vCPU ", id, " does not get done");
        }
    }
}

} // namespace

void register_all()
{
    registrations = 0;
    for (std::uint32_t id = 0; id < cpu_ids(); ++id) {
        measure_registration(id);
    }
}

void each_registers_itself()
{
    registrations = 0;
    each_for_itself(measure_registration);
}

void each_does_nothing()
{
    each_for_itself([](std::uint32_t) {});
}

void print_registrations()
{
    print_samples(samples, registrations, "registration");
}

} // namespace xovl::guest
