//! The `phalanx` binary: an allocator and the command line.

#[cfg(feature = "wip-cli")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[cfg(feature = "wip-cli")]
fn main() -> std::process::ExitCode {
    phalanx_node::cli::main()
}

#[cfg(not(feature = "wip-cli"))]
fn main() {}
