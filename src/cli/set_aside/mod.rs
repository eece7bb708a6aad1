//! `set-aside`: what a node has set aside is looked at, brought back or dropped.

mod words;

use clap::Subcommand;
use cuerda::host::Status;
use cuerda::http::control::{
    AsideDropped, AsideGroup, AsideKey, AsideKeys, AsideRestored, SetAside,
};
use serde_json::json;

use super::client::Target;
use super::output::{self, Output};
use super::{Exit, Failure};

/// List, restore or drop what a node has set aside
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A node sets aside what it has stored when it was away for longer than deletions are remembered
(`tombstones_for`) and missed one that all others have forgotten: merged with what they have, its
records could bring back what was deleted. What is still to be had the others have. A group is what
a node set aside at one time; it is called by when the node was last known to be running before, in
milliseconds since 1970.")]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Tell what is set aside: the groups, or the keys of one
    List(List),
    /// Merge the records of a group into what the ring has, and forget them here
    #[command(after_help = "\
Each record goes to all nodes that should hold it, as `cuerda import` does it: what is newer in the
ring stays, and what was deleted meanwhile comes back if the ring has forgotten the deletion. What is
not with all of them for sure stays set aside. Ends with 5 if some records are not yet, or not, where
they should be.")]
    Restore(Restore),
    /// Delete a group for good
    Drop(Drop),
}

/// Which node's.
#[derive(Debug, clap::Args)]
struct Whose {
    /// Which of the process's nodes, counted from 0
    #[arg(long, value_name = "N", default_value_t = 0)]
    node: u8,
    #[command(flatten)]
    target: Target,
}

#[derive(Debug, clap::Args)]
struct List {
    /// Name the keys of this group; without it, all groups
    group: Option<u64>,
    /// Which of the process's nodes, counted from 0; without it and GROUP, all
    #[arg(long, value_name = "N")]
    node: Option<u8>,
    #[command(flatten)]
    target: Target,
}

#[derive(Debug, clap::Args)]
struct Restore {
    /// Which group, as `cuerda set-aside list` calls it
    group: u64,
    #[command(flatten)]
    whose: Whose,
}

#[derive(Debug, clap::Args)]
struct Drop {
    /// Which group, as `cuerda set-aside list` calls it
    group: u64,
    /// Yes, delete it: nobody may have what it holds
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    whose: Whose,
}

/// Asks the node.
pub(crate) fn run(args: Args, output: Output) -> Result<Exit, Failure> {
    match args.what {
        What::List(List {
            group: Some(group),
            node,
            target,
        }) => {
            let node = node.unwrap_or(0);
            list_keys(&Whose { node, target }, group, output)
        }
        What::List(List { node, target, .. }) => list_groups(&target, node, output),
        What::Restore(Restore { group, whose }) => restore(&whose, group, output),
        What::Drop(Drop { group, yes, whose }) => drop(&whose, group, yes, output),
    }
}

impl Whose {
    /// The path of a page of a group.
    fn page(&self, group: u64, what: &str, after: i64) -> String {
        let node = self.node;
        format!("/v1/set-aside/{group}{what}?node={node}&after={after}")
    }

    /// Nothing is set aside under this name.
    fn has_none(&self, group: u64) -> Failure {
        Failure::usage(
            format!("node {} has set nothing aside as group {group}", self.node),
            "`cuerda set-aside list` names the groups, and with --node those of one node",
        )
    }
}

fn list_groups(target: &Target, node: Option<u8>, output: Output) -> Result<Exit, Failure> {
    let nodes = match node {
        Some(node) => vec![node],
        None => {
            let status = target.get::<Status>("/v1/status")?.value;
            (0..u8::try_from(status.nodes.len()).unwrap_or(u8::MAX)).collect()
        }
    };
    let mut all = Vec::new();
    for node in nodes {
        let path = format!("/v1/set-aside?node={node}");
        all.push(target.get::<SetAside>(&path)?.value);
    }
    if output.json {
        output::print_json(&json!({ "nodes": all }))?;
    } else {
        output::print(&words::groups(&all))?;
    }
    Ok(Exit::Done)
}

fn list_keys(whose: &Whose, group: u64, output: Output) -> Result<Exit, Failure> {
    let (mut all, mut count, mut id) = (Vec::<AsideKey>::new(), 0u64, None);
    let mut after = Some(0);
    while let Some(from) = after {
        let page = whose
            .target
            .get::<AsideKeys>(&whose.page(group, "", from))?;
        let page = page.value;
        count += page.keys.len() as u64;
        if output.json {
            all.extend(page.keys);
        } else {
            output::print(&words::keys(&page.keys))?;
        }
        (id, after) = (Some(page.id), page.next);
    }
    if count == 0 {
        return Err(whose.has_none(group));
    }
    if output.json {
        let node = whose.node;
        output::print_json(&json!({ "node": node, "id": id, "group": group, "keys": all }))?;
    }
    Ok(Exit::Done)
}

fn restore(whose: &Whose, group: u64, output: Output) -> Result<Exit, Failure> {
    let mut all = AsideRestored::default();
    let mut after = Some(0);
    while let Some(from) = after {
        let path = whose.page(group, "/restore", from);
        let told = whose.target.post::<AsideRestored>(&path);
        let told = told.map_err(|failure| words::after(failure, &all))?.value;
        all.imported.restored += told.imported.restored;
        all.imported.partly += told.imported.partly;
        all.imported.failed.extend(told.imported.failed);
        all.kept += told.kept;
        after = told.next;
    }
    let imported = &all.imported;
    let some = imported.restored + imported.partly;
    if some + all.kept == 0 {
        return Err(whose.has_none(group));
    }
    if output.json {
        output::print_json(&all)?;
    } else {
        output::print(&words::restored(&all))?;
    }
    Ok(match (some, imported.partly + all.kept) {
        (_, 0) => Exit::Done,
        (0, _) => Exit::Failed,
        _ => Exit::Partly,
    })
}

fn drop(whose: &Whose, group: u64, yes: bool, output: Output) -> Result<Exit, Failure> {
    if !yes {
        return Err(Failure::usage(
            format!("group {group} would be deleted for good"),
            "look at it with `cuerda set-aside list`, and say --yes if that is meant",
        ));
    }
    let mut all = AsideGroup {
        group,
        ..AsideGroup::default()
    };
    let mut after = Some(0);
    while let Some(from) = after {
        let page = whose
            .target
            .delete::<AsideDropped>(&whose.page(group, "", from))?
            .value;
        all.records += page.dropped.records;
        all.fields += page.dropped.fields;
        all.bytes += page.dropped.bytes;
        after = page.next;
    }
    if all.records == 0 {
        return Err(whose.has_none(group));
    }
    if output.json {
        output::print_json(&json!({ "node": whose.node, "dropped": all }))?;
    } else if !output.quiet {
        output::print(&words::dropped(&all))?;
    }
    Ok(Exit::Done)
}
