//! Data directories that are new, known, damaged and in use.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::*;
use cuerda_core::ring::Id;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn peers(count: u16) -> Vec<Peer> {
    let peer = |port: u16| Peer {
        id: Id::of_key(&port.to_be_bytes()),
        address: std::net::SocketAddr::from(([10, 0, 0, 7], port)).into(),
    };
    (0..count).map(peer).collect()
}

/// Opens, and lets go at once.
fn start(path: &Path) -> Opened {
    DataDirectory::open(path).unwrap().1
}

#[test]
fn the_key_stays_and_starts_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("some/where");
    let first = start(&path);
    assert!(first.created && first.peers.is_empty());
    assert_eq!(first.incarnation, 1);
    for incarnation in 2..5 {
        let next = start(&path);
        assert!(!next.created);
        assert_eq!(next.incarnation, incarnation);
        assert_eq!(next.identity.public_key(), first.identity.public_key());
    }
}

#[test]
fn all_of_it_is_its_owners_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data");
    let (directory, _) = DataDirectory::open(&path).unwrap();
    assert_eq!(directory.path(), path);
    assert_eq!(mode(&path), 0o700);
    let mut names = Vec::new();
    for entry in fs::read_dir(&path).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(mode(&entry.path()), 0o600, "{entry:?}");
        names.push(entry.file_name().into_string().unwrap());
    }
    names.sort();
    assert_eq!(names, ["identity.pem", "lock", "state.json"]);
}

#[test]
fn a_start_is_on_the_disk_before_it_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let (_directory, opened) = DataDirectory::open(folder.path()).unwrap();
    let state = read_state(&folder.path().join("state.json")).unwrap();
    assert_eq!(state.unwrap().incarnation, opened.incarnation);
}

#[test]
fn peers_are_remembered_as_they_were_saved_last() {
    let folder = tempfile::tempdir().unwrap();
    let (mut directory, _) = DataDirectory::open(folder.path()).unwrap();
    directory.save_peers(&peers(5)).unwrap();
    directory.save_peers(&peers(3)).unwrap();
    drop(directory);
    let text = fs::read_to_string(folder.path().join("state.json")).unwrap();
    assert!(text.contains("\"address\": \"10.0.0.7:2\""), "{text}");
    assert_eq!(start(folder.path()).peers, peers(3));
    // A start alone does not forget them.
    let (mut directory, opened) = DataDirectory::open(folder.path()).unwrap();
    assert_eq!((opened.peers, opened.incarnation), (peers(3), 3));
    directory.save_peers(&[]).unwrap();
    drop(directory);
    assert!(start(folder.path()).peers.is_empty());
}

#[test]
fn the_disk_is_left_alone_when_the_peers_are_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let (mut directory, _) = DataDirectory::open(folder.path()).unwrap();
    directory.save_peers(&peers(3)).unwrap();
    let file = folder.path().join("state.json");
    fs::remove_file(&file).unwrap();
    directory.save_peers(&peers(3)).unwrap();
    assert!(!file.exists());
    directory.save_peers(&peers(2)).unwrap();
    assert!(file.exists());
}

#[test]
fn peers_that_could_not_be_saved_are_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data");
    let (mut directory, _) = DataDirectory::open(&path).unwrap();
    fs::rename(&path, folder.path().join("elsewhere")).unwrap();
    let error = directory.save_peers(&peers(3)).unwrap_err();
    assert!(matches!(error, DataError::Unusable { .. }), "{error}");
    fs::rename(folder.path().join("elsewhere"), &path).unwrap();
    directory.save_peers(&peers(3)).unwrap();
    drop(directory);
    assert_eq!(start(&path).peers, peers(3));
}

#[test]
fn no_more_peers_are_remembered_than_there_is_room_for() {
    let folder = tempfile::tempdir().unwrap();
    let (mut directory, _) = DataDirectory::open(folder.path()).unwrap();
    directory.save_peers(&peers(100)).unwrap();
    drop(directory);
    assert_eq!(start(folder.path()).peers, peers(64));
    // Nor when somebody wrote more into the file; and the longest file is not too long to read.
    let state = State {
        peers: peers(65),
        ..State::after(7)
    };
    let text = serde_json::to_string_pretty(&state).unwrap();
    fs::write(folder.path().join("state.json"), text).unwrap();
    let opened = start(folder.path());
    assert_eq!((opened.incarnation, opened.peers), (8, peers(64)));
}

#[test]
fn one_process_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let (directory, first) = DataDirectory::open(folder.path()).unwrap();
    let error = DataDirectory::open(folder.path()).unwrap_err();
    assert!(matches!(error, DataError::InUse { .. }), "{error}");
    assert!(
        error.to_string().contains(folder.path().to_str().unwrap()),
        "{error}"
    );
    drop(directory);
    // The refused one has counted no start.
    assert_eq!(start(folder.path()).incarnation, first.incarnation + 1);
}

#[test]
fn what_is_damaged_is_named_and_can_be_removed() {
    let folder = tempfile::tempdir().unwrap();
    let before = start(folder.path());
    let file = folder.path().join("state.json");
    let whole = fs::read(&file).unwrap();
    let bad: [&[u8]; 8] = [
        b"",
        b"{}",
        b"\0\0\0\0\0\0\0\0",
        &[0xff; 20],
        &whole[..whole.len() / 2],
        b"{\"incarnation\": -1, \"peers\": []}",
        b"{\"incarnation\": 4294967295, \"peers\": []}",
        &[b' '; 100_000],
    ];
    for bytes in bad {
        fs::write(&file, bytes).unwrap();
        let error = DataDirectory::open(folder.path()).unwrap_err();
        assert!(matches!(error, DataError::Damaged { .. }), "{error}");
        let mend = format!("rm {}", file.display());
        assert!(error.with_hint().contains(&mend), "{error}");
        assert_eq!(
            fs::read(&file).unwrap(),
            bytes,
            "it is left for people to look at"
        );
    }
    // As the error says.
    fs::remove_file(&file).unwrap();
    let after = start(folder.path());
    assert!(!after.created);
    assert_eq!(after.identity.public_key(), before.identity.public_key());
    // More than it can ever have started, and it goes on from there.
    assert!(after.incarnation > 1_700_000_000, "{}", after.incarnation);
    assert_eq!(start(folder.path()).incarnation, after.incarnation + 1);
}

#[test]
fn a_lost_key_is_a_new_node_that_starts_where_the_old_one_was() {
    let folder = tempfile::tempdir().unwrap();
    let before = start(folder.path());
    fs::remove_file(folder.path().join("identity.pem")).unwrap();
    let after = start(folder.path());
    assert!(after.created);
    assert_ne!(after.identity.public_key(), before.identity.public_key());
    assert_eq!(after.incarnation, 2);
}

#[test]
fn a_key_that_others_may_read_stops_it_before_a_start_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    start(folder.path());
    let key = folder.path().join("identity.pem");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let error = DataDirectory::open(folder.path()).unwrap_err();
    assert!(
        matches!(error, DataError::Identity(IdentityError::Exposed { .. })),
        "{error}"
    );
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(start(folder.path()).incarnation, 2);
}

#[test]
fn a_place_that_is_no_directory_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    fs::write(&path, "").unwrap();
    for path in [path.clone(), path.join("below")] {
        let error = DataDirectory::open(&path).unwrap_err();
        assert!(matches!(error, DataError::Unusable { .. }), "{error}");
        assert!(
            error.to_string().contains(path.to_str().unwrap()),
            "{error}"
        );
    }
}

#[test]
fn a_state_of_a_later_release_is_refused_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    start(folder.path());
    let file = folder.path().join("state.json");
    for text in [
        "{\"format\": 2, \"incarnation\": {\"high\": 1}}",
        "{\"format\": 1, \"incarnation\": 7, \"peers\": [], \"leases\": [1]}",
        "{\"incarnation\": 7, \"peers\": [], \"leases\": [1]}",
    ] {
        fs::write(&file, text).unwrap();
        let error = DataDirectory::open(folder.path()).unwrap_err();
        assert!(matches!(error, DataError::Newer { .. }), "{error}");
        assert!(error.with_hint().contains("later"), "{error}");
        assert_eq!(fs::read_to_string(&file).unwrap(), text);
    }
    // What the first release wrote says nothing of its format.
    fs::write(&file, "{\"incarnation\": 7, \"peers\": []}").unwrap();
    assert_eq!(start(folder.path()).incarnation, 8);
}

#[test]
fn what_a_killed_process_was_writing_is_removed() {
    let folder = tempfile::tempdir().unwrap();
    start(folder.path());
    for name in ["state.json", "identity.pem"] {
        let left = format!("{name}.0123456789abcdef.new");
        fs::write(folder.path().join(left), "{").unwrap();
    }
    start(folder.path());
    let names = fs::read_dir(folder.path()).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    assert_eq!(names, ["identity.pem", "lock", "state.json"]);
}

#[test]
fn a_link_that_leads_nowhere_is_called_that() {
    let folder = tempfile::tempdir().unwrap();
    let (link, target) = (folder.path().join("data"), folder.path().join("disk"));
    std::os::unix::fs::symlink(&target, &link).unwrap();
    let error = DataDirectory::open(&link).unwrap_err();
    assert!(matches!(&error, DataError::Dangling { target: to, .. } if *to == target));
    assert!(error.with_hint().contains("mount"), "{error}");
    assert!(!target.exists());
    fs::create_dir(&target).unwrap();
    start(&link);
}

#[test]
fn records_that_are_gone_or_empty_are_told_once() {
    let folder = tempfile::tempdir().unwrap();
    let records = folder.path().join("records.db");
    assert_eq!(start(folder.path()).records_gone, None);
    // A node that is killed in its first run has them, and so has one of an earlier release.
    for first_run in [true, false] {
        fs::write(&records, "some").unwrap();
        let (mut directory, opened) = DataDirectory::open(folder.path()).unwrap();
        assert_eq!(opened.records_gone, None);
        if first_run {
            directory.save_that_records_are_stored().unwrap();
        }
        drop(directory);
        match first_run {
            true => fs::remove_file(&records).unwrap(),
            false => fs::write(&records, "").unwrap(),
        }
        assert_eq!(start(folder.path()).records_gone, Some(records.clone()));
        assert_eq!(start(folder.path()).records_gone, None);
    }
    let (mut directory, _) = DataDirectory::open(folder.path()).unwrap();
    directory.save_that_records_are_stored().unwrap();
    drop(directory);
    assert_eq!(start(folder.path()).records_gone, Some(records));
}
