//! What the protocol says to do, one file for each rule or input. Each is a part of [`crate::Engine`].

mod catch_up;
mod certificate;
mod enter;
mod execution;
mod finalization;
mod leave;
mod notarization;
mod notarize;
mod nullification;
mod placement;
mod proposal;
mod propose;
pub(crate) mod resend;
mod restart;
mod tell;
mod tick;
