//! The tests of the engine: each rule on one engine, restarts at every journal record, and small clusters
//! under the schedules that broke others and earlier drafts.

mod anything;
mod certificates;
mod cluster;
mod collectors;
mod leave;
mod notarize;
mod propose;
mod resend;
mod restart;
mod schedules;
