// SPDX-License-Identifier: GPL-2.0-or-later
#include "host/pages.hpp"

#include <cerrno>
#include <sys/mman.h>

#include "abi/types.hpp"

namespace xovl::host
{

using abi::kPageSize;

namespace
{

core::Status move_to(std::byte *from, std::size_t old_size, std::byte *to)
{
    const void *const moved =
        mremap(from, old_size, kPageSize, MREMAP_MAYMOVE | MREMAP_FIXED, to);
    return moved == MAP_FAILED ? core::Status(core::Error(-errno))
                               : core::Status();
}

} // namespace

core::Result<std::byte *> LinuxPages::move_aside(std::byte *frame)
{
    // Any address, said so: the kernel reads the last argument, and C
    // libraries differ in what they hand over where there is none.
    void *const aside = mremap(frame, kPageSize, kPageSize,
                               MREMAP_MAYMOVE | MREMAP_DONTUNMAP, nullptr);
    if (aside == MAP_FAILED) {
        return core::Error(-errno);
    }
    return static_cast<std::byte *>(aside);
}

core::Status LinuxPages::move(std::byte *from, std::byte *to)
{
    return move_to(from, kPageSize, to);
}

core::Status LinuxPages::alias(std::byte *page, std::byte *at)
{
    // An old size of 0 makes a second mapping of a shared one, which has its
    // advice (not to be inherited by fork, not to be dumped) as well.
    return move_to(page, 0, at);
}

void LinuxPages::part(std::byte *frame)
{
    // Neighbours with different advice are not joined.  This advice is about
    // reading ahead, which for one page of private memory means nothing.
    (void)madvise(frame, kPageSize, MADV_RANDOM);
}

void LinuxPages::join(std::byte *frame)
{
    (void)madvise(frame, kPageSize, MADV_NORMAL);
}

} // namespace xovl::host
