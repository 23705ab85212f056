# Run by systemd in a container; what it finds goes to /root/found, what is said to /root/log.
exec 3>/root/found >/root/log 2>&1
find() { echo "$*" >&3; }
is() { systemctl show --property="$1" --value trunklog; }
as() { setpriv --reuid=trunklog --regid=trunklog --clear-groups trunklog "$@"; }
settings=/etc/trunklog/trunklog.yaml
set -x

dpkg --install /root/trunklog.deb
find "after the installation: $(systemctl is-enabled trunklog), $(systemctl is-active trunklog)"

systemctl enable --now trunklog
find "when systemctl returns: $(systemctl is-enabled trunklog), $(is ActiveState), $(is StatusText)"
as tenant add contoso --id 1a2b3c4d-0000-4000-8000-00000000c0de --trunk sbc1.contoso.com
as gen --rows 1 --trunk sbc1.contoso.com | as import graph --tenant contoso -
find "calls: $(as calls count)"

systemctl reload trunklog
find "reload: $?, $(is ActiveState), $(is StatusText)"

before=$(is MainPID)
dpkg --install /root/trunklog.deb
[ "$(is MainPID)" != "$before" ] && find "an upgrade restarts it: $(is ActiveState), calls: $(as calls count)"

echo 'nonsense: 1' >>$settings
systemctl restart trunklog
sleep 3 # longer than RestartSec
find "with a setting that is wrong: $(is ActiveState), exit code $(is ExecMainStatus), $(is NRestarts) restarts"
sed -i '$d' $settings

kill -9 "$(systemctl start trunklog; is MainPID)"
for _ in $(seq 100); do
	[ "$(is NRestarts)/$(is ActiveState)" = 1/active ] && break
	sleep 0.1
done
find "killed: $(is ActiveState), $(is NRestarts) restart, calls: $(as calls count)"

sed -i 's/^#listen:.*/listen: ":443"/' $settings
systemctl restart trunklog
find "at port 443 without a privilege: $(is ActiveState)"
mkdir -p /etc/systemd/system/trunklog.service.d
cp /root/443.conf /etc/systemd/system/trunklog.service.d/
systemctl daemon-reload
systemctl restart trunklog
find "at port 443 with the drop-in: $(is ActiveState), $(is StatusText)"

dpkg --remove trunklog
find "after the removal: $(systemctl is-active trunklog)"
journalctl --no-pager --unit trunklog
find "end"
poweroff -f
