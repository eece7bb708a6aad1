//! The program `cuerda`.

fn main() {}
