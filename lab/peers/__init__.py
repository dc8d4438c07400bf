"""The contestants: one small file each, all with the interface of base.Peer."""

from peers.casync import Casync
from peers.ganesha import Ganesha
from peers.gridftp import GridFtp
from peers.iperf3 import Iperf3
from peers.nginx import Nginx
from peers.rsync import RsyncDaemon, RsyncOverSsh
from peers.samba import Samba
from peers.ssh import Scp, Sftp, TarOverSsh
from peers.wormhole import Wormhole

ALL = {peer.name: peer for peer in (Iperf3, Wormhole, Scp, Sftp, RsyncOverSsh, TarOverSsh,
                                    RsyncDaemon, Samba, Ganesha, GridFtp, Nginx)}

__all__ = ["ALL", "Casync", *(peer.__name__ for peer in ALL.values())]
