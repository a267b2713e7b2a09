//! Ports of a devnet on loopback: found free when the cluster is made, checked again when it is started.

use anyhow::{Context, bail};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};

/// How far above the JSON-RPC ports the QUIC ports are looked for.
const QUIC_OFFSET: u16 = 1_000;
/// How far above the JSON-RPC ports the metrics ports are looked for.
const METRICS_OFFSET: u16 = 2_000;
/// How many ports are tried for one that must only be free.
const SCAN_MAX: u16 = 500;
/// How many ranges are tried where any will do.
const RANGES_MAX: usize = 100;

/// Where one operator listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ports {
    /// JSON-RPC, TCP.
    pub(super) rpc: SocketAddr,
    /// The mesh, UDP.
    pub(super) quic: SocketAddr,
    /// Metrics and health, TCP.
    pub(super) metrics: SocketAddr,
}

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

/// Ports for `n` operators; operator `i` serves JSON-RPC on `rpc_port + i`. With `rpc_port` 0 any range.
pub(super) fn find(n: u16, rpc_port: u16) -> anyhow::Result<Vec<Ports>> {
    let base = if rpc_port == 0 { free_range(n)? } else { rpc_port };
    let Some(last) = base.checked_add(n - 1) else {
        bail!("--rpc-port {base} leaves no room for {n} operators below 65536; choose a lower one");
    };
    let (mut quic_next, mut metrics_next) = (above(last, QUIC_OFFSET), above(last, METRICS_OFFSET));
    let mut found: Vec<Ports> = Vec::new();
    for port in base..=last {
        let rpc = loopback(port);
        check_tcp(rpc).with_context(|| format!("operator {}'s JSON-RPC; choose another --rpc-port", port - base))?;
        let quic = scan(&mut quic_next, |address| UdpSocket::bind(address).is_ok())?;
        let metrics = scan(&mut metrics_next, |address| TcpListener::bind(address).is_ok())?;
        found.push(Ports { rpc, quic, metrics });
    }
    Ok(found)
}

impl Ports {
    /// Whether nobody listens there.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        check_tcp(self.rpc).context("JSON-RPC (rpc_address)")?;
        check_tcp(self.metrics).context("metrics (metrics_address)")?;
        if let Err(error) = UdpSocket::bind(self.quic) {
            bail!("the mesh (listen_address): UDP {} is not free: {error}", self.quic);
        }
        Ok(())
    }
}

fn check_tcp(address: SocketAddr) -> anyhow::Result<()> {
    match TcpListener::bind(address) {
        Ok(_) => Ok(()),
        Err(error) => bail!("TCP {address} is not free: {error}"),
    }
}

/// Where to look from: `offset` above `port`, below it where that is beyond the end.
fn above(port: u16, offset: u16) -> u16 {
    port.checked_add(offset + SCAN_MAX).map_or(port - offset - SCAN_MAX, |_| port + offset)
}

fn scan(next: &mut u16, is_free: impl Fn(SocketAddr) -> bool) -> anyhow::Result<SocketAddr> {
    let start = *next;
    for port in start..start.saturating_add(SCAN_MAX) {
        if is_free(loopback(port)) {
            *next = port.saturating_add(1);
            return Ok(loopback(port));
        }
    }
    bail!("no free port between {start} and {}; choose another --rpc-port", start.saturating_add(SCAN_MAX))
}

fn free_range(n: u16) -> anyhow::Result<u16> {
    for _ in 0..RANGES_MAX {
        let base = TcpListener::bind(loopback(0)).and_then(|listener| listener.local_addr())?.port();
        let Some(last) = base.checked_add(n - 1) else { continue };
        if (base..=last).all(|port| TcpListener::bind(loopback(port)).is_ok()) {
            return Ok(base);
        }
    }
    bail!("no {n} free ports in a row were found in {RANGES_MAX} tries; name some by --rpc-port")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn found_ports_are_free_distinct_and_in_a_row() {
        let found = find(4, 0).expect("ports");
        let rpc: Vec<_> = found.iter().map(|ports| ports.rpc.port()).collect();
        assert!(rpc.windows(2).all(|pair| pair[1] == pair[0] + 1), "{rpc:?}");
        let all: BTreeSet<_> = found.iter().flat_map(|ports| [ports.rpc, ports.quic, ports.metrics]).collect();
        assert_eq!(all.len(), 12);
        for ports in found {
            ports.check().expect("free");
        }
    }

    #[test]
    fn a_port_in_use_is_named() {
        let taken = TcpListener::bind(loopback(0)).expect("a port");
        let port = taken.local_addr().expect("bound").port();
        let refusal = format!("{:#}", find(1, port).expect_err("in use"));
        assert!(refusal.contains(&port.to_string()) && refusal.contains("--rpc-port"), "{refusal}");
    }

    #[test]
    fn the_end_of_the_range_is_refused() {
        assert!(find(4, 65_534).is_err());
        assert!(above(65_000, 1_000) < 65_000);
    }
}
