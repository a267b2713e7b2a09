//! Schedules, told step by step, on whole operators: engine, journal, mempool, catch-up, disks and network.
//!
//! The checkers assert every invariant after every event, and an honest operator that halts is a failure: a schedule
//! that ends well has broken nothing. `docs/SIMULATION.md` lists all of them, and those on the engine alone.

mod earlier_drafts;
mod known_failures;
mod script;
mod slow_and_lossy;
