//! From a configuration to what a host is started with: the key, who is admitted, whom to join.

use std::net::SocketAddr;
use std::sync::Arc;

use cuerda::host::{
    Begin, DataDirectory, DescriptorLimit, Identity, LostLines, Opened, Security, Settings,
    Sockets as _, Storage, Tcp, raise_descriptor_limit,
};
use cuerda::ring::Peer;

use super::config::Config;
use super::{Code, Failure, admission, seed};

/// What a host is started with, and what is kept on disk beside it.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) settings: Settings,
    /// Where the process keeps what it keeps; a throw-away one has none.
    pub(crate) directory: Option<DataDirectory>,
    /// Peers known from before; they may be gone.
    pub(crate) peers: Vec<Peer>,
}

/// Reads and makes all of it.
pub(crate) async fn prepare(config: &Config, lost_lines: &LostLines) -> Result<Prepared, Failure> {
    let admission = admission::at_start(config)?;
    raise_limits()?;
    let advertise = match &config.advertise {
        Some(name) => Some(resolve(name).await?),
        None => None,
    };
    let (directory, opened) = open(config)?;
    if config.insecure {
        tracing::warn!(
            "INSECURE: connections are neither encrypted nor proved, and anybody who reaches {} \
             can take any place in the ring; for experiments only",
            config.listen
        );
    }
    let settings = Settings {
        node: Arc::new(config.node.clone()),
        identity: opened.identity,
        admission,
        security: if config.insecure {
            Security::None
        } else {
            Security::tls()
        },
        listen: config.listen,
        advertise,
        virtual_nodes: config.virtual_nodes,
        incarnation: opened.incarnation,
        begin: begin(&config.join, &opened.peers),
        storage: match &directory {
            Some(directory) => Storage::File(directory.records()),
            None => Storage::Memory,
        },
        idle_after: config.idle_after,
        connect_timeout: config.connect_timeout,
        heartbeat: config.heartbeat,
        seed: seed()?,
        lost_lines: lost_lines.clone(),
    };
    Ok(Prepared {
        settings,
        directory,
        peers: opened.peers,
    })
}

/// Raises the limit of open files, and says if it is lower than it should be.
fn raise_limits() -> Result<(), Failure> {
    let Some(found) = raise_descriptor_limit(cuerda::http::limits::CONNECTIONS) else {
        return Ok(());
    };
    let DescriptorLimit { limit, useful } = found;
    let hint = format!("raise it to {useful} (`ulimit -n {useful}`, `LimitNOFILE={useful}`)");
    if found.is_too_low() {
        let message = format!("the limit of open files is {limit}, too low for a node");
        return Err(Failure::failed(message, hint));
    }
    if limit < useful {
        tracing::warn!(
            limit,
            useful,
            "the limit of open files is lower than a busy node needs: beyond it connections from \
             outside are refused; {hint}"
        );
    }
    Ok(())
}

/// Whom to join: those named, then those known from before. Who has neither founds a ring. Who
/// was told nobody but knew some goes back to them, for they may hold it for a member still.
fn begin(join: &[String], peers: &[Peer]) -> Begin {
    let known = peers.iter().map(|peer| peer.address.to_string());
    let all: Vec<String> = join.iter().cloned().chain(known).collect();
    if all.is_empty() {
        Begin::Found
    } else {
        Begin::Join(all)
    }
}

/// The key and what else is kept; a node without a data directory has a new key each time.
fn open(config: &Config) -> Result<(Option<DataDirectory>, Opened), Failure> {
    let Some(path) = &config.data else {
        let identity = Identity::generate().map_err(|error| Failure::of(Code::Failed, &error))?;
        let opened = Opened {
            identity,
            created: true,
            incarnation: 1,
            peers: Vec::new(),
            records_gone: None,
        };
        return Ok((None, opened));
    };
    let (directory, opened) =
        DataDirectory::open(path).map_err(|error| Failure::of(Code::DataDirectory, &error))?;
    if opened.created {
        tracing::info!(data = %path.display(), "a new key was made for this node");
    }
    if let Some(file) = &opened.records_gone {
        tracing::error!(
            file = %file.display(),
            "the records of this node are GONE: their file is missing or empty. It starts without \
             them and copies what other holders have; if you have not moved the file away, look \
             for it before one of the others stops"
        );
    }
    Ok((Some(directory), opened))
}

/// The one address of a name.
async fn resolve(name: &str) -> Result<SocketAddr, Failure> {
    let mut found = Tcp.resolve(name).await.map_err(|error| {
        Failure::usage(
            format!("`advertise` is {name}, which has no address: {error}"),
            "write a name that resolves here, or an address",
        )
    })?;
    found.dedup();
    match found.as_slice() {
        [address] => Ok(*address),
        addresses => {
            let listed: Vec<String> = addresses.iter().map(SocketAddr::to_string).collect();
            Err(Failure::usage(
                format!(
                    "`advertise` is {name}, which has {} addresses",
                    addresses.len()
                ),
                format!(
                    "choose one: --advertise {}",
                    listed.join(" or --advertise ")
                ),
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::status::tests::peer;

    #[test]
    fn whoever_is_named_comes_before_whoever_was_known() {
        let named = ["a.example:4000".to_owned()];
        let names = |begin| match begin {
            Begin::Join(names) => names,
            _ => Vec::new(),
        };
        assert!(matches!(begin(&[], &[]), Begin::Found));
        assert_eq!(names(begin(&[], &[peer(1)])), ["10.0.0.1:4000"]);
        assert_eq!(
            names(begin(&named, &[peer(1)])),
            ["a.example:4000", "10.0.0.1:4000"]
        );
    }
}
