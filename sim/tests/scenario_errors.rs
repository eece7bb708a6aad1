//! What people read when a scenario file is wrong: one snapshot for each kind of mistake.
//!
//! `cargo insta review`, or `INSTA_UPDATE=always cargo test`, takes new words over.

use cuerda_sim::scenario::{Metric, MetricKind, Overrides, Scenario};
use insta::assert_snapshot;

/// What a report can say, as far as these files ask for it.
const METRICS: &[&str] = &[
    "lookups.issued",
    "lookups.failed_share",
    "lookups.wrong_share",
    "lookups.hops.mean",
    "lookups.hops.max",
    "ring.ideal",
    "ring.violations",
    "traffic.messages",
    "world",
    "writes.lost",
];

fn parse(text: &str, overrides: &Overrides) -> String {
    let metric = |path: &&str| Metric {
        path: (*path).to_owned(),
        kind: match *path {
            "ring.ideal" => MetricKind::Truth,
            "world" => MetricKind::Text,
            _ => MetricKind::Number,
        },
    };
    let metrics: Vec<Metric> = METRICS.iter().map(metric).collect();
    match Scenario::parse("scenarios/mine.toml", text, &metrics, overrides) {
        Ok(scenario) => panic!("nothing is wrong with {scenario:#?}"),
        Err(error) => error.to_string(),
    }
}

/// The errors of a whole file.
fn file(text: &str) -> String {
    parse(text, &Overrides::default())
}

/// The errors of a file in which `lines` come after all that must be there.
fn after_valid(lines: &str) -> String {
    file(&format!(
        "duration = \"10m\"\n\n[ring]\nnodes = 1000\n\n{lines}\n"
    ))
}

/// The errors of a fault of this kind.
fn fault(kind: &str, keys: &str) -> String {
    after_valid(&format!(
        "[[fault]]\nat   = \"2m\"\nkind = \"{kind}\"\n{keys}"
    ))
}

/// The errors of a pause of these nodes.
fn nodes(selector: &str) -> String {
    fault("pause", &format!("nodes = {selector}"))
}

fn workload(keys: &str) -> String {
    after_valid(&format!("[[workload]]\nkind = \"lookup\"\n{keys}"))
}

/// The errors of a workload of this kind on records.
fn records(kind: &str, keys: &str) -> String {
    after_valid(&format!(
        "[[workload]]\nkind = \"{kind}\"\nrate = \"1/s\"\n{keys}"
    ))
}

fn expect(line: &str) -> String {
    after_valid(&format!("[expect]\n{line}"))
}

/// One test for each mistake, each with a snapshot of its own name.
macro_rules! mistakes {
    ($($name:ident: $error:expr;)*) => {
        $(#[test]
        fn $name() {
            assert_snapshot!(stringify!($name), $error);
        })*
    };
}

// Names that are misspelt or misplaced.
mistakes! {
    misspelt_key_at_the_top: file("tilte = \"Mine\"\nduration = \"10m\"\n[ring]\nnodes = 4\n");
    misspelt_key_in_ring: file("duration = \"10m\"\n[ring]\nnods = 1000\n");
    misspelt_key_in_node: after_valid("[node]\nstabilise_every = \"30s\"");
    misspelt_key_in_network: after_valid("[network]\nduplicates = 0.1");
    misspelt_form_of_latency: after_valid("[network]\nlatency = { exponental = \"50ms\" }");
    misspelt_key_in_workload: workload("rate = \"1/s\"\nform = \"1m\"");
    misspelt_key_in_churn: after_valid("[[churn]]\njoins = \"1/s\"\ncrash = \"1/s\"");
    misspelt_key_in_fault: fault("crash", "node = \"n7\"");
    misspelt_bound: expect("\"ring.violations\" = { maximum = 0 }");
    misspelt_section: after_valid("[nodes]\nsuccessors = 4");
    misspelt_repeated_section: after_valid("[[faults]]\nat = \"1m\"");
    unheard_of_section: after_valid("[weather]\nrain = true");
    unheard_of_key: after_valid("[network]\ncolour = \"red\"");
    key_of_another_section: file("nodes = 1000\nduration = \"10m\"\n[ring]\nseed = 3\nnodes = 5\n");
    several_mistakes_at_once:
        file("sede = 3\nduration = \"10 minuts\"\n[ring]\nnode = 5\nstart = \"ideel\"\n");
}

// TOML itself.
mistakes! {
    text_without_quotes: file("duration = 10m\n");
    selector_without_quotes: nodes("successors(key:song, 3)");
    value_missing: file("duration =\n");
    unclosed_text: file("title = \"Mine\nduration = \"10m\"\n");
    unclosed_header: file("duration = \"10m\"\n[ring\nnodes = 5\n");
    duplicate_key: file("seed = 1\nduration = \"10m\"\nseed = 2\n");
    duplicate_section: after_valid("[ring]\nstart = \"join\"");
    empty_file: file("");
}

// Types, units and ranges.
mistakes! {
    missing_duration: file("title = \"Mine\"\n\n[ring]\nnodes = 5\n");
    missing_nodes: file("duration = \"10m\"\n\n[ring]\nstart = \"join\"\n");
    missing_ring: file("title    = \"Mine\"\nduration = \"10m\"\n");
    bad_unit: file("duration = \"10 minuts\"\n[ring]\nnodes = 5\n");
    months: file("duration = \"10M\"\n[ring]\nnodes = 5\n");
    bare_number_for_a_duration: file("duration = 600\n[ring]\nnodes = 5\n");
    number_without_unit: file("duration = \"600\"\n[ring]\nnodes = 5\n");
    negative_duration: workload("rate = \"1/s\"\nfrom = \"-1m\"");
    endless_duration: file("duration = \"100y\"\n[ring]\nnodes = 5\n");
    no_duration: file("duration = \"0s\"\n[ring]\nnodes = 5\n");
    rate_without_unit: workload("rate = 5");
    rate_without_time: workload("rate = \"5\"");
    negative_rate: workload("rate = \"-1/s\"");
    rate_of_what: workload("rate = \"1/fortnight\"");
    rate_beyond_all: workload("rate = \"1e8/s per node\"");
    wrong_type_of_title: file("title = 5\nduration = \"10m\"\n[ring]\nnodes = 5\n");
    wrong_type_of_nodes: file("duration = \"10m\"\n[ring]\nnodes = \"1000\"\n");
    wrong_type_of_section: file("duration = \"10m\"\nring = 1000\n");
    single_section_repeated: file("duration = \"10m\"\n[[ring]]\nnodes = 5\n");
    repeated_section_single: after_valid("[fault]\nat = \"1m\"");
    no_nodes: file("duration = \"10m\"\n[ring]\nnodes = 0\n");
    negative_seed: file("seed = -1\nduration = \"10m\"\n[ring]\nnodes = 5\n");
    share_above_one: after_valid("[network]\nloss = 1.5");
    share_as_text: after_valid("[network]\nloss = \"5%\"");
    two_latencies: after_valid(
        "[network]\nlatency = { fixed = \"20ms\", exponential = \"50ms\" }"
    );
    latency_without_form: after_valid("[network]\nlatency = \"20ms\"");
    uniform_latency_swapped: after_valid("[network]\nlatency = { uniform = [\"90ms\", \"10ms\"] }");
    latency_beyond_all_patience: after_valid("[network]\nlatency = { fixed = \"2600ms\" }");
    latency_beyond_the_time_out_that_is_set: after_valid(
        "[node]\nrequest_timeout_max = \"500ms\"\n\n[network]\nlatency = { uniform = [\"10ms\", \"300ms\"] }"
    );
    latency_mostly_beyond_patience: after_valid("[network]\nlatency = { exponential = \"3s\" }");
    regions_of_unequal_rows: after_valid("[network]\nlatency = { regions = [[\"1ms\", \"2ms\"], [\"1ms\"]] }");
    matrix_that_can_not_be_read: after_valid("[network]\nlatency = { matrix = \"king.txt\" }");
    regions_that_are_none: after_valid("[network]\nlatency = { regions = [] }");
    regions_beyond_patience: after_valid("[network]\nlatency = { regions = [[\"1ms\", \"4s\"], [\"2s\", \"1ms\"]] }");
    plane_beyond_patience: after_valid("[network]\nlatency = { plane = \"3s\" }");
    broken_links_in_turmoil: file("world = \"turmoil\"\nduration = \"10m\"\n[ring]\nnodes = 5\n[network]\nbroken_links = 0.1\n");
    virtual_nodes_that_do_not_divide: file("duration = \"10m\"\n[ring]\nnodes = 10\nvirtual_nodes = 4\n");
    virtual_nodes_in_turmoil: file("world = \"turmoil\"\nduration = \"10m\"\n[ring]\nnodes = 12\nvirtual_nodes = 4\n");
    virtual_nodes_beyond_the_successors: file("duration = \"10m\"\n[ring]\nnodes = 20\nvirtual_nodes = 5\n");
    no_virtual_nodes: file("duration = \"10m\"\n[ring]\nnodes = 20\nvirtual_nodes = 0\n");
    uniform_latency_of_one: after_valid("[network]\nlatency = { uniform = [\"90ms\"] }");
    unknown_world: file("world = \"event\"\nduration = \"10m\"\n[ring]\nnodes = 5\n");
    too_many_nodes_for_containers: file("world = \"containers\"\nduration = \"10m\"\n[ring]\nnodes = 21\n");
    a_fault_that_containers_can_not_have: file("world = \"containers\"\nduration = \"10m\"\n[ring]\nnodes = 5\n[[fault]]\nat = \"1m\"\nkind = \"skew\"\nnodes = 1\nby = \"5s\"\n");
    too_many_nodes_for_turmoil: file("world = \"turmoil\"\nduration = \"10m\"\n[ring]\nnodes = 65\n");
    too_many_newcomers_for_turmoil: file("world = \"turmoil\"\nduration = \"10m\"\n[ring]\nnodes = 50\n[[churn]]\njoin = \"1/min\"\n");
    no_room_at_all_in_turmoil: file("world = \"turmoil\"\nduration = \"10m\"\n[ring]\nnodes = 5\n[[fault]]\nat = \"1m\"\nkind = \"join\"\ncount = 64\n");
    tick_too_short: after_valid("[network]\ntick = \"100us\"");
    unknown_check: file("duration = \"10m\"\nchecks = [\"rings\"]\n[ring]\nnodes = 5\n");
    unknown_start: file("duration = \"10m\"\n[ring]\nnodes = 5\nstart = \"perfect\"\n");
    node_out_of_range: after_valid("[node]\nsuccessors = 65\nattempts = 0");
    node_beyond_a_byte: after_valid("[node]\nremembered = 300");
    more_replicas_than_successors: after_valid("[node]\nsuccessors = 4\nreplicas = 5");
    more_replicas_than_default_successors: after_valid("[node]\nreplicas = 9");
    timeout_above_its_greatest: after_valid("[node]\nrequest_timeout = \"10s\"");
    period_too_short: after_valid("[node]\nstabilize_every = \"10us\"");
    more_acks_than_replicas: after_valid("[node]\nreplicas = 3\nacks = 4");
    acks_out_of_range: after_valid("[node]\nacks = 0");
}

// Workloads and churn.
mistakes! {
    workload_without_rate: after_valid("[[workload]]\nkind = \"lookup\"");
    workload_without_keys: records("put", "value = \"1KiB\"");
    workload_of_no_keys: records("get", "keys = 0");
    misspelt_key_of_records: records("put", "keys = 10\nvalues = \"1KiB\"");
    misspelt_kind_of_workload: records("puts", "keys = 10");
    skew_of_lookups_without_keys: workload("rate = \"1/s\"\nzipf = 1");
    value_of_lookups: workload("rate = \"1/s\"\nkeys = 1000\nvalue = \"1KiB\"");
    reads_of_puts: records("put", "keys = 10\nreads = 0.5");
    value_without_unit: records("put", "keys = 10\nvalue = 100");
    value_of_strange_unit: records("put", "keys = 10\nvalue = \"100kB\"");
    value_too_large: records("put", "keys = 10\nvalue = \"1MiB\"");
    value_bounds_swapped: records("put", "keys = 10\nvalue = [\"2KiB\", \"1KiB\"]");
    value_of_one_bound: records("put", "keys = 10\nvalue = [\"2KiB\"]");
    zipf_too_steep: records("get", "keys = 10\nzipf = 100");
    ttl_of_nothing: records("put", "keys = 10\nttl = \"0s\"");
    no_clients: records("get", "keys = 10\nclients = 0");
    forgetful_as_text: records("get", "keys = 10\nforgetful = \"yes\"");
    forgetful_clients_with_clocks: records(
        "put",
        "keys = 10\nforgetful = true\nclient_clocks = \"5m\""
    );
    more_conditional_keys_than_keys: records(
        "put",
        "keys = 10\nconditional = 0.5\nconditional_keys = 11"
    );
    conditional_keys_of_no_writes: records("put", "keys = 10\nconditional_keys = 2");
    reads_of_deleted_above_one: records("get", "keys = 10\nreads_of_deleted = 1.5");
    workload_ends_before_it_begins: workload("rate = \"1/s\"\nfrom = \"5m\"\nuntil = \"4m\"");
    workload_begins_at_the_end: workload("rate = \"1/s\"\nfrom = \"10m\"");
    workload_after_the_end: workload("rate = \"1/s\"\nuntil = \"11m\"");
    absence_without_session: after_valid("[[churn]]\nabsence = { exponential = \"1h\" }");
    session_without_form: after_valid("[[churn]]\nsession = \"1h\"");
    session_of_unknown_form: after_valid("[[churn]]\nsession = { weibul = { shape = 0.5, mean = \"1h\" } }");
    session_of_two_forms: after_valid("[[churn]]\nsession = { exponential = \"1h\", pareto = { shape = 2, mean = \"1h\" } }");
    session_without_mean: after_valid("[[churn]]\nsession = { weibull = { shape = 0.5 } }");
    session_of_no_length: after_valid("[[churn]]\nsession = { exponential = \"0s\" }");
    session_with_a_tail_without_mean: after_valid("[[churn]]\nsession = { pareto = { shape = 1, mean = \"1h\" } }");
    session_that_ends_otherwise: after_valid("[[churn]]\nsession = { exponential = \"1h\" }\nends = \"crush\"");
    floor_as_text: after_valid("[[churn]]\nleave = \"1/s\"\nkeep = \"8\"");
    churn_of_nobody: after_valid("[[churn]]\nfrom = \"1m\"");
}

// Faults.
mistakes! {
    fault_after_the_end: after_valid(
        "[[fault]]\nat    = \"12m\"\nkind  = \"pause\"\nnodes = 3"
    );
    fault_at_the_end: after_valid("[[fault]]\nat    = \"10m\"\nkind  = \"pause\"\nnodes = 3");
    fault_ends_after_the_end: after_valid(
        "[[fault]]\nat    = \"9m30s\"\nkind  = \"pause\"\nnodes = 3\nfor   = \"1m\""
    );
    fault_of_no_length: fault("pause", "nodes = 3\nfor = \"0s\"");
    fault_at_one_moment_twice: after_valid("[[fault]]\nat = [\"2m\", \"2m\"]\nkind = \"pause\"\nnodes = 3");
    fault_at_three_moments: after_valid("[[fault]]\nat = [\"1m\", \"2m\", \"3m\"]\nkind = \"pause\"\nnodes = 3");
    fault_drawn_after_the_end: after_valid("[[fault]]\nat = [\"2m\", \"11m\"]\nkind = \"pause\"\nnodes = 3");
    drawn_fault_ends_after_the_end: after_valid(
        "[[fault]]\nat = [\"2m\", \"8m\"]\nfor = \"3m\"\nkind = \"pause\"\nnodes = 3"
    );
    fault_again_without_number: fault("pause", "nodes = 3\nevery = \"1m\"");
    fault_again_by_two_numbers: fault("pause", "nodes = 3\nevery = \"1m\"\ntimes = 3\nuntil = \"5m\"");
    fault_again_without_period: fault("pause", "nodes = 3\ntimes = 3");
    fault_again_at_once: fault("pause", "nodes = 3\nevery = \"0s\"\ntimes = 3");
    fault_again_after_the_end: fault("pause", "nodes = 3\nevery = \"1m\"\ntimes = 9");
    fault_again_ends_after_the_end: fault("pause", "nodes = 3\nevery = \"1m\"\ntimes = 8\nfor = \"2m\"");
    fault_again_until_before_it_begins: fault("pause", "nodes = 3\nevery = \"1m\"\nuntil = \"1m\"");
    fault_again_too_often: fault("pause", "nodes = 3\nevery = \"1ms\"\nuntil = \"5m\"");
    fault_without_time: after_valid("[[fault]]\nkind  = \"pause\"\nnodes = 3");
    fault_without_kind: after_valid("[[fault]]\nat = \"1m\"");
    fault_without_nodes: fault("pause", "");
    unknown_kind_of_fault: fault("crush", "nodes = 3");
    unheard_of_kind_of_fault: fault("earthquake", "nodes = 3");
    key_of_another_kind: fault("pause", "nodes = 3\ndisk = \"lost\"");
    unknown_disk: fault("crash", "nodes = 3\ndisk = \"loss\"");
    partition_of_one_part: fault("partition", "split = [\"arc(0..0.5)\"]");
    partition_without_list: fault("partition", "split = \"20%\"");
    slow_by_a_number: fault("slow", "nodes = 3\nextra = 200");
    slow_links_and_nodes: fault("slow", "nodes = 3\nto = \"n1\"\nextra = \"1s\"");
    slow_link_of_one_end: fault("slow", "from = \"n1\"\nextra = \"1s\"");
    loss_above_one: fault("loss", "nodes = 3\nshare = 20");
    disk_fault_of_no_kind: fault("disk", "nodes = 3");
    unknown_disk_fault: fault("disk", "nodes = 3\nwhat = \"flips\"");
    disk_fault_with_anothers_key: fault("disk", "nodes = 3\nwhat = \"torn\"\nextra = \"20ms\"");
    slow_disk_without_time: fault("disk", "nodes = 3\nwhat = \"slow\"");
    flip_that_ends: fault("disk", "nodes = 3\nwhat = \"flip\"\nfor = \"1m\"");
    skew_too_fine: fault("skew", "nodes = 3\nby = \"-5us\"");
    wave_of_a_moment: fault("restart", "nodes = 3\napart = \"0s\"");
    wave_beyond_the_end: fault("restart", "nodes = \"50%\"\napart = \"1s\"");
    wave_that_ends_after_the_end: fault("pause", "nodes = 100\napart = \"4s\"\nfor = \"2m\"");
    wave_of_what_has_no_order: fault("skew", "nodes = 3\nby = \"1s\"\napart = \"4s\"");
    snapshot_without_age: fault("snapshot", "nodes = 3");
    snapshot_older_than_the_run: fault("snapshot", "nodes = 3\nage = \"3m\"");
    clock_of_which_nothing_is_said: fault("clock", "nodes = 3");
    clock_of_no_speed: fault("clock", "nodes = 3\ndrift = \"20%\"");
    clock_beyond_all_speeds: fault("clock", "nodes = 3\ndrift = \"-600000ppm\"");
    a_fault_that_turmoil_can_not_have: file("world = \"turmoil\"\nduration = \"10m\"\n[ring]\nnodes = 5\n[[fault]]\nat = \"1m\"\nkind = \"twin\"\nnodes = 1\n");
    a_move_in_containers: file("world = \"containers\"\nduration = \"10m\"\n[ring]\nnodes = 5\n[[fault]]\nat = \"1m\"\nkind = \"move\"\nnodes = 1\n");
    join_of_none: fault("join", "count = 0");
}

// Selectors.
mistakes! {
    node_that_does_not_exist: nodes("\"n1000\"");
    node_of_an_overridden_ring: parse(
        "duration = \"1m\"\n[ring]\nnodes = 10\n[[fault]]\nat = \"1s\"\nkind = \"pause\"\nnodes = \"n5\"\n",
        &Overrides { nodes: Some(5), ..Overrides::default() },
    );
    crash_of_who_is_down: nodes("[\"n1\", \"down\"]");
    range_the_wrong_way: nodes("\"n9..n3\"");
    range_beyond_all_nodes: nodes("\"n990..n1000\"");
    machine_of_no_node: nodes("\"machine(3)\"");
    misspelt_group: after_valid("[groups]\nrack1 = \"n0..n9\"\n[[fault]]\nat = \"1m\"\nkind = \"pause\"\nnodes = \"rak1\"");
    group_of_random_nodes: after_valid("[groups]\nrack1 = \"20%\"");
    group_with_the_name_of_a_selector: after_valid("[groups]\nrest = \"n0..n9\"\nn5 = \"n6\"\n\"a b\" = \"n7\"");
    group_of_nodes_that_do_not_exist: after_valid("[groups]\nrack1 = [\"n0\", \"n0..x\"]");
    count_above_all_nodes: nodes("1001");
    count_of_none: nodes("0");
    counts_together_above_all_nodes: nodes("[600, \"50%\"]");
    share_above_all: nodes("\"120%\"");
    share_without_percent: nodes("0.2");
    arc_off_the_circle: nodes("\"arc(0.5..1.5)\"");
    arc_without_end: nodes("\"arc(0.5)\"");
    rest_of_nothing: nodes("[\"rest\", \"n1\"]");
    rest_before_the_last: nodes("[\"n0\", \"rest\", \"n1\"]");
    rest_outside_a_list: nodes("\"rest\"");
    rest_of_nothing_in_a_part: fault("partition", "split = [\"n1\", [\"rest\"]]");
    list_in_a_list: nodes("[\"n1\", [\"n2\"]]");
    empty_list: nodes("[]");
    no_successors: nodes("\"successors(key:song, 0)\"");
    more_successors_than_nodes: nodes("\"successors(key:song, 1001)\"");
    successors_of_no_key: nodes("\"successors(song, 3)\"");
    successors_without_number: nodes("\"successors(key:song)\"");
    misspelt_selector: nodes("\"sucessors(key:song, 3)\"");
    unheard_of_selector: nodes("\"everybody\"");
    selector_of_wrong_type: nodes("true");
    may_miss_as_text: fault("pause", "nodes = \"n7\"\nmay_miss = \"yes\"");
}

// Expectations.
mistakes! {
    unknown_metric: expect("\"lookups.faild_share\" = { max = 0.1 }");
    unknown_metric_far_from_all: expect("\"weather.rain\" = { max = 0.1 }");
    metric_without_its_section: expect("\"failed_share\" = { max = 0.1 }");
    metric_that_is_a_table: expect("\"lookups.hops\" = { max = 4 }");
    misspelt_metric_of_writes: expect("\"writes.lots\" = { max = 0 }");
    metric_without_quotes: expect("lookups.hops.mean = { max = 4 }");
    expectation_without_bound: expect("\"ring.violations\" = {}");
    expectation_of_a_number: expect("\"ring.violations\" = 0");
    least_above_greatest: expect("\"lookups.hops.mean\" = { min = 4, max = 3 }");
    exact_and_bounded: expect("\"ring.violations\" = { max = 3, equals = 0 }");
    bound_of_wrong_type: expect("\"ring.violations\" = { max = \"3\" }");
    bounds_of_a_truth_value: expect("\"ring.ideal\" = { max = 1 }");
    text_of_a_number: expect("\"lookups.issued\" = { equals = \"many\" }");
    number_of_a_text: expect("\"world\" = { equals = 3 }");
    unchecked_of_no_number: expect("unchecked = [\"writes.missing_copy\", \"writes.lost\"]");
    unchecked_as_text: expect("unchecked = \"writes.lost\"");
    known_to_fail_by_nothing: file("known_to_fail = \"\"\nduration = \"1m\"\n[ring]\nnodes = 3\n");
    known_to_fail_by_a_number: file("known_to_fail = [3]\nduration = \"1m\"\n[ring]\nnodes = 3\n");
    quiet_without_unit: file("quiet = 5\nduration = \"1m\"\n[ring]\nnodes = 3\n");
    endless_bound: expect("\"ring.violations\" = { max = inf }");
}
