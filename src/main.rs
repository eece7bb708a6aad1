//! The program `cuerda`. It parses, dispatches and turns outcomes into exit codes; what each
//! command does is in a file of its own.

mod cli;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    cli::main()
}
