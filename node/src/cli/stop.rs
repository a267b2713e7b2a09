//! When a process is asked to end: Ctrl-C, SIGTERM, or the end of the parent that holds its standard
//! input.

use std::io::Read;
use tokio::signal::unix::{SignalKind, signal};

/// Resolves when this process should end, with the reason, for the log.
///
/// With `with_parent` the end of standard input is a reason too: `phalanx devnet` holds a pipe to each of
/// its operators, and the system closes it however the devnet ends, so no operator outlives it.
///
/// # Errors
/// When the system refuses signal handlers.
pub(crate) fn stop_requested(
    with_parent: bool,
) -> std::io::Result<impl Future<Output = &'static str> + Send + 'static> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let (closed, parent_gone) = tokio::sync::oneshot::channel();
    // Without a watcher the sender must live on, or the receiver would resolve.
    let mut keep = Some(closed);
    if with_parent {
        let closed = keep.take().expect("it was put there above");
        std::thread::Builder::new().name("parent-watch".to_owned()).spawn(move || {
            drain_standard_input();
            // An error says that this process is ending already.
            let _ = closed.send(());
        })?;
    }
    Ok(async move {
        let _keep = keep;
        tokio::select! {
            _ = interrupt.recv() => "interrupted (SIGINT)",
            _ = terminate.recv() => "asked to end (SIGTERM)",
            _ = parent_gone => "the devnet that started it ends",
        }
    })
}

fn drain_standard_input() {
    let mut buffer = [0; 64];
    let mut input = std::io::stdin().lock();
    while input.read(&mut buffer).is_ok_and(|bytes| bytes > 0) {}
}
