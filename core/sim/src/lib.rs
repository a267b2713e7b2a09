//! The whole cluster in virtual time on one seed.
