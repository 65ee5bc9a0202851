// SPDX-License-Identifier: GPL-2.0-or-later
// FakeHypervisor: records what it is told, and holds what a hypervisor told
// so would hold.
#pragma once

#include <cerrno>
#include <cstdint>
#include <map>
#include <optional>
#include <ostream>
#include <vector>

#include "abi/types.hpp"
#include "core/ports.hpp"
#include "fakes/faults.hpp"

namespace xovl::fakes
{

// What is held for the page, or for one vcpu_info.
struct Setting {
    enum class Kind : std::uint8_t { None, Guest, Host };

    Kind kind = Kind::None;
    std::uint64_t value = 0; // gfn, gpa or host address
    // Setting it failed.  KVM keeps such an address after -EFAULT: out of
    // use, but it comes to life when something appears there.  So it equals
    // no setting that a caller may want, least of all none.
    bool dangling = false;

    static Setting none() { return {}; }
    static Setting guest(std::uint64_t value)
    {
        return {Kind::Guest, value, false};
    }
    static Setting host(const void *pointer)
    {
        return {Kind::Host, reinterpret_cast<std::uintptr_t>(pointer), false};
    }
    friend bool operator==(const Setting &, const Setting &) = default;
};

inline std::ostream &operator<<(std::ostream &out, const Setting &setting)
{
    switch (setting.kind) {
    case Setting::Kind::None:
        out << "none";
        break;
    case Setting::Kind::Guest:
        out << "guest 0x" << std::hex << setting.value << std::dec;
        break;
    case Setting::Kind::Host:
        out << "host 0x" << std::hex << setting.value << std::dec;
        break;
    }
    return out << (setting.dangling ? " (dangling)" : "");
}

struct HypervisorState {
    Setting shared_info;
    std::map<abi::VcpuId, Setting> vcpu_info; // of those that have one
    bool long_mode = false;
    friend bool operator==(const HypervisorState &,
                           const HypervisorState &) = default;
};

inline std::ostream &operator<<(std::ostream &out, const HypervisorState &state)
{
    out << "shared_info " << state.shared_info << ", long_mode "
        << state.long_mode;
    for (const auto &[vcpu, setting] : state.vcpu_info) {
        out << ", vcpu " << vcpu.value << ' ' << setting;
    }
    return out;
}

// One call, as a value.
struct Call {
    enum class Op : std::uint8_t {
        HasVcpuInfoHva,
        SetSharedInfo,
        SetVcpuInfo,
        SetLongMode,
        LongMode,
        GetSharedInfo,
        GetVcpuInfo,
    };

    Op op;
    std::optional<abi::VcpuId> vcpu = std::nullopt;
    Setting setting = {}; // for a mode: its value alone

    static Call shared_info(Setting setting)
    {
        return {Op::SetSharedInfo, std::nullopt, setting};
    }
    static Call vcpu_info(abi::VcpuId vcpu, Setting setting)
    {
        return {Op::SetVcpuInfo, vcpu, setting};
    }
    static Call set_long_mode(bool long_mode)
    {
        return {Op::SetLongMode, std::nullopt,
                Setting{Setting::Kind::None, long_mode, false}};
    }
    friend bool operator==(const Call &, const Call &) = default;
};

inline std::ostream &operator<<(std::ostream &out, const Call &call)
{
    switch (call.op) {
    case Call::Op::HasVcpuInfoHva:
        return out << "has_vcpu_info_hva(" << call.vcpu->value << ')';
    case Call::Op::SetSharedInfo:
        return out << "set_shared_info(" << call.setting << ')';
    case Call::Op::SetVcpuInfo:
        return out << "set_vcpu_info(" << call.vcpu->value << ", "
                   << call.setting << ')';
    case Call::Op::SetLongMode:
        return out << "set_long_mode(" << call.setting.value << ')';
    case Call::Op::LongMode:
        return out << "long_mode()";
    case Call::Op::GetSharedInfo:
        return out << "shared_info()";
    case Call::Op::GetVcpuInfo:
        return out << "vcpu_info(" << call.vcpu->value << ')';
    }
    return out;
}

class FakeHypervisor final : public core::Hypervisor
{
public:
    // What it is able to, as the generations of KVM differ.
    struct Ability {
        bool shared_info_hva;
        bool vcpu_info_hva;
    };

    static constexpr const char *kSharedInfoHva = "a newer shared_info";
    static constexpr const char *kSharedInfoGfn = "an older shared_info";
    static constexpr const char *kVcpuInfoKernel = "another vcpu_info";
    static constexpr const char *kVcpuInfoHva = "a newer vcpu_info";
    static constexpr const char *kVcpuInfoGpa = "an older vcpu_info";

    FakeHypervisor(Faults &faults, Ability ability)
        : faults_(faults), ability_(ability)
    {
    }

    [[nodiscard]] const HypervisorState &state() const { return state_; }
    [[nodiscard]] Setting vcpu_info(abi::VcpuId vcpu) const
    {
        const auto it = state_.vcpu_info.find(vcpu);
        return it == state_.vcpu_info.end() ? Setting() : it->second;
    }
    [[nodiscard]] const std::vector<Call> &calls() const { return calls_; }
    void forget_calls() { calls_.clear(); }
    // The guest has written the hypercall MSR.
    void latch_long_mode(bool long_mode) { state_.long_mode = long_mode; }

    [[nodiscard]] bool has_shared_info_hva() const override
    {
        return ability_.shared_info_hva;
    }
    core::Result<bool> has_vcpu_info_hva(abi::VcpuId vcpu) override
    {
        calls_.push_back({Call::Op::HasVcpuInfoHva, vcpu});
        if (const auto error = faults_.next()) {
            return core::Error(*error);
        }
        return ability_.vcpu_info_hva;
    }

    [[nodiscard]] const char *
    requirement(core::SharedInfoBackend backend) const override
    {
        switch (backend) {
        case core::SharedInfoBackend::Hva:
            return kSharedInfoHva;
        case core::SharedInfoBackend::Gfn:
            return kSharedInfoGfn;
        }
        return "";
    }
    [[nodiscard]] const char *
    requirement(core::DefaultVcpuInfoBackend backend) const override
    {
        switch (backend) {
        case core::DefaultVcpuInfoBackend::Kernel:
            return kVcpuInfoKernel;
        case core::DefaultVcpuInfoBackend::Hva:
            return kVcpuInfoHva;
        case core::DefaultVcpuInfoBackend::Gpa:
            return kVcpuInfoGpa;
        }
        return "";
    }

    core::Status set_shared_info_gfn(std::optional<abi::Gfn> gfn) override
    {
        const Setting next = gfn ? Setting::guest(gfn->value) : Setting();
        calls_.push_back(Call::shared_info(next));
        return set(state_.shared_info, next);
    }
    core::Status set_shared_info_hva(void *page) override
    {
        const Setting next = page != nullptr ? Setting::host(page) : Setting();
        calls_.push_back(Call::shared_info(next));
        return set(state_.shared_info, next);
    }
    core::Status set_vcpu_info_gpa(abi::VcpuId vcpu,
                                   std::optional<abi::Gpa> gpa) override
    {
        return set(vcpu, gpa ? Setting::guest(gpa->value) : Setting());
    }
    core::Status set_vcpu_info_hva(abi::VcpuId vcpu, void *area) override
    {
        return set(vcpu, area != nullptr ? Setting::host(area) : Setting());
    }

    core::Status set_long_mode(bool long_mode) override
    {
        calls_.push_back(Call::set_long_mode(long_mode));
        const auto error = faults_.next();
        // KVM takes the mode first and then writes the wallclock; -EFAULT
        // is about the latter.
        if (!error || *error == -EFAULT) {
            state_.long_mode = long_mode;
        }
        return error ? core::Status(core::Error(*error)) : core::Status();
    }
    core::Result<bool> long_mode() override
    {
        calls_.push_back({Call::Op::LongMode});
        if (const auto error = faults_.next()) {
            return core::Error(*error);
        }
        return state_.long_mode;
    }

    core::Result<std::optional<abi::Gfn>> shared_info_gfn() override
    {
        return get<std::optional<abi::Gfn>>(
            {Call::Op::GetSharedInfo}, Setting::Kind::Guest, state_.shared_info,
            [](auto value) { return abi::Gfn{value}; });
    }
    core::Result<const void *> shared_info_hva() override
    {
        return get<const void *>({Call::Op::GetSharedInfo}, Setting::Kind::Host,
                                 state_.shared_info, as_pointer);
    }
    core::Result<std::optional<abi::Gpa>>
    vcpu_info_gpa(abi::VcpuId vcpu) override
    {
        return get<std::optional<abi::Gpa>>(
            {Call::Op::GetVcpuInfo, vcpu}, Setting::Kind::Guest,
            vcpu_info(vcpu), [](auto value) { return abi::Gpa{value}; });
    }
    core::Result<const void *> vcpu_info_hva(abi::VcpuId vcpu) override
    {
        return get<const void *>({Call::Op::GetVcpuInfo, vcpu},
                                 Setting::Kind::Host, vcpu_info(vcpu),
                                 as_pointer);
    }

    // Behind everybody's back.
    void tamper_shared_info(Setting setting) { state_.shared_info = setting; }
    void tamper_vcpu_info(abi::VcpuId vcpu, Setting setting)
    {
        state_.vcpu_info[vcpu] = setting;
    }

private:
    static const void *as_pointer(std::uint64_t value)
    {
        return reinterpret_cast<const void *>(std::uintptr_t{value});
    }

    // A setting of the other kind reads as none.
    template <typename T, typename Convert>
    core::Result<T> get(Call call, Setting::Kind kind, Setting setting,
                        Convert convert)
    {
        calls_.push_back(call);
        if (const auto error = faults_.next()) {
            return core::Error(*error);
        }
        return setting.kind == kind ? T{convert(setting.value)} : T{};
    }

    core::Status set(Setting &setting, Setting next)
    {
        const auto error = faults_.next();
        if (!error) {
            setting = next;
            return {};
        }
        // As KVM: -EFAULT comes after the old setting was let go of, other
        // errors come before.
        if (*error == -EFAULT) {
            setting = next;
            setting.dangling = true;
        }
        return core::Error(*error);
    }
    core::Status set(abi::VcpuId vcpu, Setting next)
    {
        calls_.push_back(Call::vcpu_info(vcpu, next));
        const core::Status done = set(state_.vcpu_info[vcpu], next);
        if (state_.vcpu_info[vcpu] == Setting::none()) {
            state_.vcpu_info.erase(vcpu);
        }
        return done;
    }

    Faults &faults_;
    Ability ability_;
    HypervisorState state_;
    std::vector<Call> calls_;
};

} // namespace xovl::fakes
