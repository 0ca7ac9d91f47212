//! Why an allocation says no.

use crate::decide::prelude::*;

refusals! {
    Rejection of "allocation"

    under OURS, "nobody decides about an own request (rules.md#own-request)" => {
        NotTheApplicant(ActorId)
            = "only {0}, or someone on behalf of {0}, may do this" as Forbidden;
        OwnRequest(ActorId) = "{0} made this request and may not decide about it" as Forbidden;
    }

    under "rules document of the call", "access: min_gpu_hours, max_gpu_hours" => {
        NoAccess(CallId) = "call {0} gives no compute time";
    }

    under "rules document of the call", "deadlines: opening and closing" => {
        CallNotOpen(CallId) = "call {0} takes no more requests";
    }

    under OURS, "used <= awarded, or an overrun says by how much and why (rules.md#used)" => {
        Nothing = "an amount of compute time must be more than nothing";
    }

    under "rules document of the call", "access: min_gpu_hours, max_gpu_hours" => {
        TooLittle { asked: ComputeTime, min: i64 }
            = "{asked} is less than the {min} GPU-hours that the call asks for at least";
        TooMuch { asked: ComputeTime, max: i64 }
            = "{asked} is more than the {max} GPU-hours that the call gives at most";
    }

    under "rules document of the call", "access: months" => {
        Months { asked: u32, allowed: String }
            = "{asked} months are not among the durations of the call: {allowed}";
    }

    under "rules document of the call", "access: technical check before award" => {
        NotFeasible = "the technical check found it not feasible";
    }

    under "rules document of the call", "access: award within request and offer" => {
        MoreThanRequested { asked: ComputeTime, requested: ComputeTime }
            = "{asked} is more than the {requested} requested";
    }

    under "rules document of the call", "access: months" => {
        Period { starts: Date, ends: Date, latest: Date }
            = "it starts on {starts} and may end between then and {latest}; got {ends}";
    }

    under OURS, "compute time belongs to partitions (rules.md#partitions)" => {
        SystemOrPool
            = "time is granted on one system or on a pool of partitions: give one of the two";
        PoolName(PartitionKey) = "{0} is the name of a partition; a pool needs a name of its own";
    }

    under OURS, "one account, one allocation (rules.md#one-allocation)" => {
        AccountTaken { account: MachineAccount, allocation: AllocationId }
            = "account {account} belongs to {allocation}" as Conflict;
    }

    under OURS, "compute time belongs to partitions (rules.md#partitions)" => {
        NotGranted(PartitionKey) = "nothing is granted on partition {0}";
    }

    under OURS, "used <= awarded, or an overrun says by how much and why (rules.md#used)" => {
        PeriodRecorded(PeriodKey) = "usage of {0} is recorded already; correct it" as Conflict;
        NoSuchPeriod(PeriodKey) = "no usage of {0} is recorded" as NotFound;
        OverrunWithoutReason { used: ComputeTime, awarded: ComputeTime }
            = "{used} used is more than the {awarded} awarded: an overrun needs a reason";
    }

    under "rules document of the call", "access: award within request and offer" => {
        NothingToExtend = "an extension gives more time, a later end, or both";
    }

    under "rules document of the call", "access: months" => {
        NotLater { now: Date, asked: Date }
            = "it already runs until {now}; an extension to {asked} would not be later";
    }

    under OURS, "used <= awarded, or an overrun says by how much and why (rules.md#used)" => {
        EarlyWithoutReason(Date) = "it runs until {0}: an earlier end needs a reason";
    }
}
