//! Tests of the engine as a whole.

mod calls;
mod contracts;
mod crash;
mod fixture;
mod forks;
mod genesis;
mod inspector;
mod roots;
mod rules;
mod transfers;
mod tree;
