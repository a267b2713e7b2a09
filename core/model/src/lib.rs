//! The engine itself, explored state by state: four operators, one of them Byzantine, every order of events
//! within stated bounds. What runs is `phalanx_consensus::Engine`, not a description of it.
//!
//! How it is laid out: `instance` says what is explored, `universe` numbers all that can be said, `operator`
//! lets an engine take one input (or crash on the way), `judge` says what it may sign, `table` remembers each
//! operator's states and where they lead, `explore` walks the states of the cluster, and `completion` lets
//! one go on fairly until something new is final. `docs/MODEL.md` says why the reductions are sound.
//!
//! Left to others: signing order, disks and networks (`phalanx-sim`), and time, of which the model knows only
//! that any deadline may pass at any moment.
#![forbid(unsafe_code)]

mod completion;
mod explore;
mod instance;
mod judge;
mod operator;
mod recorder;
mod seen;
mod table;
mod tree;
mod universe;

pub use completion::{Completion, Stall};
pub use explore::{Counterexample, Explored, Explorer};
pub use instance::{Crashes, HONEST, Instance, OPERATORS, OutOfBounds, SLOTS_MAX};
