// SPDX-License-Identifier: GPL-2.0-or-later
// Guest test: XenStore answers, and a PV disk is connected when asked to be.
//
// Theory: requests and responses go through two rings in a page that the
// hypervisor names, with an event for each side when there is something new
// (xen/include/public/io/xs_wire.h). The rings are bytes: a message may come
// in any pieces. A frontend and its back end go through the states of
// xen/include/public/io/xenbus.h, each writing its own into XenStore.
//
// Method: commands of one letter come on COM1:
//   r  reads its domain id; answers DOMID n
//   p  the same, with the request's header sent in pieces
//   m  makes a directory; answers MADE
//   c  connects the disk 51712 (xvda); answers CONNECTED when its back end is,
//      or WAITING if it is not for a while
//   w  waits for that; answers CONNECTED
//   d  disconnects it; answers CLOSED when its back end has
//   i  makes it ready to be connected again; answers READY
//   b  connects it with a ring in no memory; answers REFUSED
//   q  the end
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "abi/hvm_op.hpp"
#include "abi/hypercall.hpp"
#include "abi/types.hpp"
#include "abi/xenstore.hpp"
#include "console.hpp"
#include "cpu.hpp"
#include "event_channel.hpp"
#include "guest_main.hpp"
#include "report.hpp"
#include "shared_info.hpp"
#include "start_info.hpp"
#include "time.hpp"
#include "xen.hpp"

namespace xovl::guest
{

namespace
{

constexpr std::uint32_t kAnswerMs = 20000;
constexpr std::uint32_t kWhileMs = 2000;

// States of a frontend or back end.
constexpr unsigned kInitialising = 1;
constexpr unsigned kInitWait = 2;
constexpr unsigned kInitialised = 3;
constexpr unsigned kConnected = 4;
constexpr unsigned kClosing = 5;
constexpr unsigned kClosed = 6;

struct Grant {
    std::uint16_t flags;
    std::uint16_t domain;
    std::uint32_t frame;
};

constexpr std::uint16_t kPermitAccess = 1;
// The first ones are the hypervisor's.
constexpr unsigned kRingGrant = 16;
constexpr unsigned kNoMemoryGrant = 17;

struct Page {
    alignas(abi::kPageSize) std::byte bytes[abi::kPageSize];
};

Page shared_info_page;
Page grant_page;
Page ring_page;

abi::xenstore_domain_interface *rings;
std::uint32_t port;
std::uint32_t last_request;
char answer[abi::XENSTORE_RING_SIZE];
std::uint32_t answer_length;

std::uint64_t param(std::uint32_t index)
{
    std::uint64_t value = 0;
    if (const std::intptr_t result = get_hvm_param(index, value); result != 0) {
        fail("HVM parameter ", index, " was answered by ", result);
    }
    return value;
}

std::size_t length(const char *text)
{
    std::size_t n = 0;
    while (text[n] != 0) {
        ++n;
    }
    return n;
}

std::uint32_t load(const std::uint32_t &number)
{
    return __atomic_load_n(&number, __ATOMIC_SEQ_CST);
}

void put(const void *from, std::size_t size)
{
    const auto *bytes = static_cast<const char *>(from);
    for (std::size_t n = 0; n < size; ++n) {
        const std::uint32_t producer = load(rings->req_prod);
        if (!wait_until(kAnswerMs, [=] {
                return producer - load(rings->req_cons) <
                       abi::XENSTORE_RING_SIZE;
            })) {
            fail("the ring of requests stays full");
        }
        rings->req[producer % abi::XENSTORE_RING_SIZE] = bytes[n];
        __atomic_store_n(&rings->req_prod, producer + 1, __ATOMIC_SEQ_CST);
    }
    (void)send(port);
}

void get(void *to, std::size_t size)
{
    auto *bytes = static_cast<char *>(to);
    for (std::size_t n = 0; n < size; ++n) {
        const std::uint32_t consumer = load(rings->rsp_cons);
        if (!wait_until(kAnswerMs,
                        [=] { return load(rings->rsp_prod) != consumer; })) {
            fail("no response to request ", last_request);
        }
        bytes[n] = rings->rsp[consumer % abi::XENSTORE_RING_SIZE];
        __atomic_store_n(&rings->rsp_cons, consumer + 1, __ATOMIC_SEQ_CST);
    }
}

// All that was put in so far was taken out.
void await_taken()
{
    if (!wait_until(kAnswerMs, [] {
            return load(rings->req_cons) == load(rings->req_prod);
        })) {
        fail("a piece of a request is not taken");
    }
}

// False for an error. What came is in `answer`, with a NUL behind it.
bool receive(std::uint32_t type)
{
    abi::xsd_sockmsg header;
    get(&header, sizeof(header));
    if (header.req_id != last_request || header.len >= sizeof(answer) ||
        (header.type != type && header.type != abi::XS_ERROR)) {
        fail("request ", last_request, " of type ", type,
             " was answered by type ", header.type, " to ", header.req_id,
             " with ", header.len, " bytes");
    }
    get(answer, header.len);
    answer[header.len] = 0;
    answer_length = header.len;
    if (header.type == abi::XS_ERROR) {
        print("XenStore says ", static_cast<const char *>(answer), "\n");
    }
    return header.type != abi::XS_ERROR;
}

bool ask(std::uint32_t type, const char *path, const char *value = nullptr,
         bool in_pieces = false)
{
    const std::size_t path_length = length(path) + 1;
    const std::size_t value_length = value ? length(value) : 0;
    const abi::xsd_sockmsg header{
        type, ++last_request, 0,
        static_cast<std::uint32_t>(path_length + value_length)};
    if (in_pieces) {
        // The last piece has the start of the data behind it.
        const auto *bytes = reinterpret_cast<const char *>(&header);
        put(bytes, 5);
        await_taken();
        put(bytes + 5, 3);
        await_taken();
        put(bytes + 8, sizeof(header) - 8);
    } else {
        put(&header, sizeof(header));
    }
    put(path, path_length);
    put(value, value_length);
    return receive(type);
}

struct Text {
    char characters[128];
};

// A path in the frontend's or back end's folder, or a number.
Text join(const char *one, const char *two)
{
    Text text = {};
    std::size_t n = 0;
    for (const char *from : {one, two}) {
        while (*from != 0 && n + 1 < sizeof(text.characters)) {
            text.characters[n++] = *from++;
        }
    }
    return text;
}

Text decimal(std::uint32_t number)
{
    Text digits = {};
    std::size_t n = sizeof(digits.characters) - 1;
    do {
        digits.characters[--n] = static_cast<char>('0' + number % 10);
        number /= 10;
    } while (number != 0);
    return join(digits.characters + n, "");
}

const char *const kFrontend = "device/vbd/51712/";
const char *const kBackend = "/local/domain/0/backend/qdisk/1/51712/";

void write(const char *key, const char *value)
{
    if (!ask(abi::XS_WRITE, join(kFrontend, key).characters, value)) {
        fail("writing ", key, " is refused");
    }
}

void set_state(unsigned state)
{
    write("state", decimal(state).characters);
}

unsigned backend_state()
{
    if (!ask(abi::XS_READ, join(kBackend, "state").characters) ||
        answer_length != 1) {
        return 0;
    }
    return static_cast<unsigned>(answer[0] - '0');
}

bool await_backend(unsigned state, std::uint32_t milliseconds)
{
    return wait_until(milliseconds, [=] { return backend_state() == state; });
}

void grant(unsigned reference, std::uint64_t frame)
{
    auto *entry = reinterpret_cast<volatile Grant *>(&grant_page) + reference;
    entry->domain = 0;
    entry->frame = static_cast<std::uint32_t>(frame);
    asm volatile("" : : : "memory");
    entry->flags = kPermitAccess;
}

// Ready, as far as the frontend is concerned.
void offer(unsigned reference)
{
    const std::intptr_t channel = alloc_unbound(0);
    if (channel <= 0) {
        fail("a port for the disk was answered by ", channel);
    }
    std::memset(&ring_page, 0, sizeof(ring_page));
    write("ring-ref", decimal(reference).characters);
    write("event-channel",
          decimal(static_cast<std::uint32_t>(channel)).characters);
    write("protocol", "x86_64-abi");
    set_state(kInitialised);
}

void connect()
{
    offer(kRingGrant);
    print(await_backend(kConnected, kWhileMs) ? "CONNECTED\n" : "WAITING\n");
}

void disconnect()
{
    set_state(kClosing);
    (void)await_backend(kClosing, kWhileMs);
    set_state(kClosed);
    // Closed, or no longer there.
    if (!wait_until(kAnswerMs, [] {
            const unsigned state = backend_state();
            return state == kClosed || state == 0;
        })) {
        fail("the back end stays in state ", backend_state());
    }
    print("CLOSED\n");
}

void make_ready()
{
    set_state(kInitialising);
    if (!await_backend(kInitWait, kAnswerMs)) {
        fail("the back end stays in state ", backend_state());
    }
    print("READY\n");
}

void connect_badly()
{
    offer(kNoMemoryGrant);
    if (await_backend(kConnected, kWhileMs)) {
        fail("the back end is connected to a ring that is nowhere");
    }
    print("REFUSED\n");
}

void read_domain_id(bool in_pieces)
{
    if (!ask(abi::XS_READ, "domid", nullptr, in_pieces)) {
        fail("its domain id cannot be read");
    }
    print("DOMID ", static_cast<const char *>(answer), "\n");
}

void set_up()
{
    if (const std::intptr_t result = map_shared_info(&shared_info_page);
        result != 0) {
        fail("mapping shared_info returned ", result);
    }
    const std::uint64_t frame = param(abi::HVM_PARAM_STORE_PFN);
    port = static_cast<std::uint32_t>(param(abi::HVM_PARAM_STORE_EVTCHN));
    // NOLINTNEXTLINE(performance-no-int-to-ptr): mapped one to one.
    rings = reinterpret_cast<abi::xenstore_domain_interface *>(frame *
                                                               abi::kPageSize);
    const std::intptr_t mapped = add_to_physmap(
        abi::XENMAPSPACE_grant_table, 0,
        reinterpret_cast<std::uintptr_t>(&grant_page) / abi::kPageSize);
    if (mapped != 0) {
        fail("mapping the grant table returned ", mapped);
    }
    grant(kRingGrant,
          reinterpret_cast<std::uintptr_t>(&ring_page) / abi::kPageSize);
    grant(kNoMemoryGrant, memory_hole() / abi::kPageSize);
}

} // namespace

const char *guest_name()
{
    return "xenstore";
}

void guest_main()
{
    end_of_options();
    xen_init();
    set_up();
    print("READY\n");
    for (;;) {
        switch (console_read_byte()) {
        case 'r':
            read_domain_id(false);
            break;
        case 'p':
            read_domain_id(true);
            break;
        case 'm':
            if (!ask(abi::XS_MKDIR, "data/made")) {
                fail("a directory cannot be made");
            }
            print("MADE\n");
            break;
        case 'c':
            connect();
            break;
        case 'w':
            if (!await_backend(kConnected, kAnswerMs)) {
                fail("the back end stays in state ", backend_state());
            }
            print("CONNECTED\n");
            break;
        case 'd':
            disconnect();
            break;
        case 'i':
            make_ready();
            break;
        case 'b':
            connect_badly();
            break;
        case 'q':
            pass("all requests were answered");
        default:
            error("it needs COM1, and commands there that it knows");
        }
    }
}

} // namespace xovl::guest
