from omegaconf import OmegaConf


def identity(cfg):
    out = {}

    def walk(n, p):
        if isinstance(n, dict) and n:
            for k, v in n.items():
                walk(v, f"{p}.{k}" if p else str(k))
        else:
            out[p] = n

    plain = OmegaConf.to_container(cfg, resolve=True)
    for k in ("output_dir", "logger", "name"):
        plain.pop(k, None)
    walk(plain, "")
    return out
