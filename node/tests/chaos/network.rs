//! The network of the suite: one namespace for each operator, and between each two of them a link whose two
//! directions are worsened apart from each other.
//!
//! Two ways to make the links, chosen by what the kernel can do: `tc netem` on a veth pair for each pair of
//! operators ([`netem`]), or, where the kernel has no netem, a relay of this process ([`relay`]). Either way an
//! operator binds its own address and sends to the addresses in the cluster file; it cannot tell.
//!
//! Invariant: everything is made inside the network and mount namespaces that this process was started in
//! (`.ci/chaos` unshares them), so the machine's own interfaces are never seen, and all of it is gone with the
//! last process, however that ends.

mod netem;
mod relay;

use crate::command::{run, run_line};
use relay::Relay;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

/// Where every operator listens for the others.
pub(crate) const PORT: u16 = 9_000;

/// What one direction of one link does to packets.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Conditions {
    /// Nothing passes.
    pub(crate) cut: bool,
    pub(crate) delay: Duration,
    /// How far the delay differs from packet to packet, either way; packets overtake each other within it.
    pub(crate) jitter: Duration,
    /// The share of packets that is lost, of 1.
    pub(crate) loss: f64,
    /// The share of packets that arrives twice, of 1.
    pub(crate) duplicate: f64,
    /// What passes at most. Unit: kilobits a second.
    pub(crate) rate_kbit: Option<u32>,
}

impl Conditions {
    /// Nothing passes.
    pub(crate) const CUT: Self =
        Self { cut: true, delay: Duration::ZERO, jitter: Duration::ZERO, loss: 0.0, duplicate: 0.0, rate_kbit: None };
}

/// How links are worsened.
#[derive(Debug)]
enum Shaper {
    Netem,
    Relay(Relay),
}

/// The namespaces of a cluster and the links between them.
#[derive(Debug)]
pub(crate) struct Network {
    operators: u8,
    shaper: Shaper,
}

/// The namespace of an operator, as `ip netns` knows it.
pub(crate) fn namespace(operator: u8) -> String {
    format!("operator-{operator}")
}

/// Where an operator listens for the others; the same address everywhere.
pub(crate) fn mesh_address(operator: u8) -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::new(10, 77, 0, operator + 1), PORT)
}

/// Where this process reaches an operator's servers: a link of their own, which is never worsened.
pub(crate) fn control_address(operator: u8, port: u16) -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::new(10, 78, operator, 2), port)
}

impl Network {
    /// Makes the namespaces and perfect links between `operators` of them. `seed` decides which packets suffer
    /// where this process relays them.
    ///
    /// # Errors
    /// What the kernel does not let this process do.
    pub(crate) async fn make(operators: u8, seed: u64) -> anyhow::Result<Self> {
        // Without this an address in the machine's own network could be taken for ours.
        let interfaces = run_line("ip -oneline link show")?;
        anyhow::ensure!(
            interfaces.lines().count() == 1,
            "this is not a network namespace of the suite's own: start it with .ci/chaos"
        );
        run_line("ip link set lo up")?;
        for operator in 0..operators {
            let (own, inside) = (namespace(operator), control_address(operator, 0));
            run_line(&format!("ip netns add {own}"))?;
            run_line(&format!("ip -n {own} link set lo up"))?;
            run_line(&format!("ip link add control-{operator} type veth peer name control netns {own}"))?;
            run_line(&format!("ip address add 10.78.{operator}.1/30 dev control-{operator}"))?;
            run_line(&format!("ip -n {own} address add {}/30 dev control", inside.ip()))?;
            run_line(&format!("ip link set control-{operator} up"))?;
            run_line(&format!("ip -n {own} link set control up"))?;
        }
        let shaper = if netem::is_available() {
            netem::link(operators)?;
            Shaper::Netem
        } else {
            Shaper::Relay(Relay::start(operators, seed).await?)
        };
        Ok(Self { operators, shaper })
    }

    /// How links are worsened, for the report.
    pub(crate) fn shaper(&self) -> &'static str {
        match self.shaper {
            Shaper::Netem => "netem",
            Shaper::Relay(_) => "relay",
        }
    }

    /// The directions of all links.
    pub(crate) fn directions(&self) -> impl Iterator<Item = (u8, u8)> + use<> {
        let operators = self.operators;
        (0..operators).flat_map(move |from| (0..operators).filter(move |to| *to != from).map(move |to| (from, to)))
    }

    /// From now on packets from `from` to `to` suffer this.
    pub(crate) fn set(&self, (from, to): (u8, u8), conditions: Conditions) -> anyhow::Result<()> {
        match &self.shaper {
            Shaper::Netem => netem::set(from, to, conditions),
            Shaper::Relay(relay) => {
                relay.set(from, to, conditions);
                Ok(())
            }
        }
    }

    /// The same for every direction that `which` chooses.
    pub(crate) fn set_where(&self, conditions: Conditions, which: impl Fn(u8, u8) -> bool) -> anyhow::Result<()> {
        self.directions().filter(|(from, to)| which(*from, *to)).try_for_each(|link| self.set(link, conditions))
    }

    /// Makes every link perfect.
    pub(crate) fn heal(&self) -> anyhow::Result<()> {
        self.set_where(Conditions::default(), |_, _| true)
    }
}

/// Runs `ip` inside an operator's namespace.
fn ip_inside(operator: u8, line: &str) -> anyhow::Result<()> {
    let namespace = namespace(operator);
    run("ip", ["-n", &namespace].into_iter().chain(line.split_whitespace())).map(|_| ())
}
