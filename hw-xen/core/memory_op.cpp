// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/memory_op.hpp"

#include <cerrno>
#include <utility>

#include "abi/hypercall.hpp"

namespace xovl::core
{

namespace
{

using abi::Gfn;
using abi::Gpa;

// From this version on a frame number of all ones is an argument error
// (xen/common/memory.c, commit ef0f94a48f).
constexpr XenVersion kXen417{0x40011};

constexpr std::uint64_t kInvalidGfn = ~std::uint64_t{0};

// The length of a batch is kept in 16 bits, and so is how far it got.
constexpr std::uint64_t kMostExtents = 0xffff;

template <typename Word>
class Request
{
public:
    Request(Overlay &overlay, AddressSpace &space, const Caller &caller)
        : overlay_(overlay), space_(space), caller_(caller),
          wanted_(overlay.physmap())
    {
    }

    Status add_to_physmap(std::uint64_t start, std::uint64_t argument)
    {
        if (start > kMostExtents) {
            return Error(-EDOM);
        }
        abi::xen_add_to_physmap<Word> add;
        if (const Status copied = copy_in(argument, add); !copied) {
            return copied;
        }
        if (add.space == abi::XENMAPSPACE_gmfn_foreign) {
            return Error(-ENOSYS);
        }
        if (const Status allowed = check_domain(add.domid); !allowed) {
            return allowed;
        }
        if (const Status done = put(add.space, add.idx, add.gpfn); !done) {
            return done;
        }
        return overlay_.rearrange(std::move(wanted_));
    }

    Status add_to_physmap_batch(std::uint64_t start, std::uint64_t argument)
    {
        if (start > kMostExtents) {
            return Error(-EDOM);
        }
        abi::xen_add_to_physmap_batch<Word> batch;
        if (const Status copied = copy_in(argument, batch); !copied) {
            return copied;
        }
        if (batch.size < start) {
            return Error(-EILSEQ);
        }
        if (batch.space == abi::XENMAPSPACE_gmfn_range) {
            return Error(-EOPNOTSUPP);
        }
        if (const Status allowed = check_domain(batch.domid); !allowed) {
            return allowed;
        }
        Status status;
        for (std::uint64_t n = start; n < batch.size && status; ++n) {
            status = add_item(batch, n);
        }
        // What came before a fault stands, as on Xen.
        const Status done = overlay_.rearrange(std::move(wanted_));
        return done ? status : done;
    }

    Status remove_from_physmap(std::uint64_t start, std::uint64_t argument)
    {
        if (start != 0) {
            return Error(-EINVAL);
        }
        abi::xen_remove_from_physmap<Word> remove;
        if (const Status copied = copy_in(argument, remove); !copied) {
            return copied;
        }
        if (const Status allowed = check_domain(remove.domid); !allowed) {
            return allowed;
        }
        // The guest's own RAM stays where it is.
        const auto gpa = abi::address_of(Gfn{remove.gpfn});
        const auto page = gpa ? wanted_.at(*gpa) : std::nullopt;
        if (!page) {
            return Error(-ENOENT);
        }
        wanted_.remove(*page);
        return overlay_.rearrange(std::move(wanted_));
    }

private:
    template <typename T>
    Status copy_in(std::uint64_t gva, T &to)
    {
        return caller_.memory.copy_in(gva, &to, sizeof(to));
    }

    [[nodiscard]] Status check_domain(std::uint16_t domid) const
    {
        if (domid == abi::DOMID_SELF || domid == caller_.domid) {
            return {};
        }
        return Error(domid == abi::DOMID_QEMU ? -EPERM : -ESRCH);
    }

    [[nodiscard]] bool is_invalid(Word gpfn) const
    {
        return gpfn == kInvalidGfn && overlay_.version() >= kXen417;
    }

    // An error of the item is in the guest's array; one that is returned ends
    // the call.
    Status add_item(const abi::xen_add_to_physmap_batch<Word> &batch,
                    std::uint64_t n)
    {
        const auto element = [&](Word array, std::size_t size) {
            // As the guest's pointer arithmetic: 32 bits wrap around.
            return std::uint64_t{static_cast<Word>(array + n * size)};
        };
        Word idx = 0;
        Word gpfn = 0;
        if (!copy_in(element(batch.idxs, sizeof(Word)), idx) ||
            !copy_in(element(batch.gpfns, sizeof(Word)), gpfn)) {
            return Error(-EFAULT);
        }
        if (is_invalid(gpfn)) {
            return Error(-EINVAL);
        }
        std::int32_t answer = 0;
        if (const Status done = put(batch.space, idx, gpfn); !done) {
            answer = done.error().value();
            overlay_.count_rejected();
        }
        return caller_.memory.copy_out(element(batch.errs, sizeof(answer)),
                                       &answer, sizeof(answer));
    }

    Status put(std::uint32_t space, Word idx, Word gpfn)
    {
        if (is_invalid(gpfn)) {
            return Error(-EINVAL);
        }
        const Result<Page> page = page_of(space, idx);
        if (!page) {
            return page.error();
        }
        const Result<Gpa> place = overlay_.place_at(Gfn{gpfn});
        if (!place) {
            return place.error();
        }
        wanted_.put(*page, *place);
        return {};
    }

    Result<Page> page_of(std::uint32_t space, Word idx)
    {
        switch (space) {
        case abi::XENMAPSPACE_shared_info:
            if (idx != 0) {
                return Error(-EINVAL);
            }
            return kSharedInfoPage;
        case abi::XENMAPSPACE_grant_table:
            return space_.grant_frame(idx);
        case abi::XENMAPSPACE_gmfn:
        case abi::XENMAPSPACE_gmfn_range:
            return Error(-EOPNOTSUPP);
        case abi::XENMAPSPACE_gmfn_foreign:
            return Error(-EPERM);
        default:
            return Error(-EINVAL);
        }
    }

    Overlay &overlay_;
    AddressSpace &space_;
    const Caller &caller_;
    Physmap wanted_;
};

template <typename Word>
std::optional<Status> dispatch(Request<Word> request, std::uint64_t command,
                               std::uint64_t argument)
{
    const std::uint64_t start = command >> abi::MEMOP_EXTENT_SHIFT;
    switch (command & abi::MEMOP_CMD_MASK) {
    case abi::XENMEM_add_to_physmap:
        return request.add_to_physmap(start, argument);
    case abi::XENMEM_add_to_physmap_batch:
        return request.add_to_physmap_batch(start, argument);
    case abi::XENMEM_remove_from_physmap:
        return request.remove_from_physmap(start, argument);
    default:
        return std::nullopt;
    }
}

} // namespace

bool is_memory_op(std::uint64_t command)
{
    switch (command & abi::MEMOP_CMD_MASK) {
    case abi::XENMEM_add_to_physmap:
    case abi::XENMEM_add_to_physmap_batch:
    case abi::XENMEM_remove_from_physmap:
        return true;
    default:
        return false;
    }
}

std::optional<Status> memory_op(Overlay &overlay, AddressSpace &space,
                                const Caller &caller, std::uint64_t command,
                                std::uint64_t argument)
{
    const auto answer =
        caller.long_mode
            ? dispatch(Request<std::uint64_t>(overlay, space, caller), command,
                       argument)
            : dispatch(Request<std::uint32_t>(overlay, space, caller), command,
                       argument);
    if (answer && !*answer) {
        overlay.count_rejected();
    }
    return answer;
}

} // namespace xovl::core
