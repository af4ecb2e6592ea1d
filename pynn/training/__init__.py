"""How models are trained, evaluated and asked: what `pynn.models` is made of beside the layers."""
